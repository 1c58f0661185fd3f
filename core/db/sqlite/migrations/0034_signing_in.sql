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

-- Keys that the devices of people keep, and with which they sign in.
CREATE TABLE "_passkey" (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  credential_id TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL,
  name TEXT NOT NULL,
  credential TEXT NOT NULL,
  created_at TEXT NOT NULL,
  used_at TEXT
) WITHOUT ROWID;
CREATE INDEX "_passkey_user" ON "_passkey" (user_id);

-- Challenges that devices have been asked to sign, and have not yet.
CREATE TABLE "_passkey_challenge" (
  hash TEXT PRIMARY KEY,
  user_id TEXT REFERENCES "_user" (id) ON DELETE CASCADE,
  session TEXT NOT NULL,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_passkey_challenge_ends" ON "_passkey_challenge" (ends_at);
