-- Attempts to prove who one is, by the hash of what they are about. All servers of a database count them together.
CREATE TABLE "_attempt" (
  key TEXT PRIMARY KEY,
  since TEXT NOT NULL,
  count INTEGER NOT NULL,
  pauses INTEGER NOT NULL,
  paused_for TEXT,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_attempt_ends" ON "_attempt" (ends_at);
