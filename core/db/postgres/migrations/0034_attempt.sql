-- Attempts to prove who one is, by the hash of what they are about. All servers of a database count them together.
CREATE TABLE "_attempt" (
  key text COLLATE "C" PRIMARY KEY,
  since timestamptz NOT NULL,
  count bigint NOT NULL,
  pauses bigint NOT NULL,
  paused_for timestamptz,
  ends_at timestamptz NOT NULL
);
CREATE INDEX "_attempt_ends" ON "_attempt" (ends_at);
