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

-- Keys that the devices of people keep, and with which they sign in.
CREATE TABLE "_passkey" (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  credential_id text COLLATE "C" NOT NULL UNIQUE,
  host text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  credential text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX "_passkey_user" ON "_passkey" (user_id);

-- Challenges that devices have been asked to sign, and have not yet.
CREATE TABLE "_passkey_challenge" (
  hash text COLLATE "C" PRIMARY KEY,
  user_id uuid REFERENCES "_user" (id) ON DELETE CASCADE,
  session text COLLATE "C" NOT NULL,
  ends_at timestamptz NOT NULL
);
CREATE INDEX "_passkey_challenge_ends" ON "_passkey_challenge" (ends_at);
