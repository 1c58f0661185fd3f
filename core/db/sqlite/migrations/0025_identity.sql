-- Secrets, sealed with a key that is not in the database.
CREATE TABLE "_secret" (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  of_id TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  UNIQUE (kind, of_id)
) WITHOUT ROWID;

-- Programs are users of their own kind, and keys can be made for less than a user may do.
ALTER TABLE "_user" ADD COLUMN kind TEXT NOT NULL DEFAULT 'person';
ALTER TABLE "_api_key" ADD COLUMN scope TEXT;
ALTER TABLE "_api_key" ADD COLUMN used_at TEXT;

-- Second factors, which people have and roles ask for.
ALTER TABLE "_user" ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "_role" ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "_factor" (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  created_at TEXT NOT NULL,
  confirmed_at TEXT,
  used_step INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_factor_user" ON "_factor" (user_id);

CREATE TABLE "_recovery_code" (
  hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  used_at TEXT
) WITHOUT ROWID;
CREATE INDEX "_recovery_code_user" ON "_recovery_code" (user_id);

-- Links with which people set a new password, once.
CREATE TABLE "_password_reset" (
  hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL UNIQUE REFERENCES "_user" (id) ON DELETE CASCADE,
  created_by TEXT NOT NULL,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;

-- Sessions tell how they began.
DROP TABLE "_session";
CREATE TABLE "_session" (
  hash TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  method TEXT NOT NULL,
  address TEXT NOT NULL,
  agent TEXT NOT NULL,
  rights TEXT NOT NULL,
  strong_at TEXT,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  idle_at TEXT NOT NULL,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_session_user" ON "_session" (user_id);
CREATE INDEX "_session_idle" ON "_session" (idle_at);
