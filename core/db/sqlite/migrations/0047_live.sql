-- Which shares have ended since somebody looked last.
CREATE INDEX "_share_expires" ON "_share" (expires_at) WHERE expires_at IS NOT NULL;
