-- Users, roles and what they may do.
CREATE TABLE "_unit" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  parent_id TEXT REFERENCES "_unit" (id)
) WITHOUT ROWID;
CREATE INDEX "_unit_parent" ON "_unit" (parent_id);
INSERT INTO "_unit" (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'Organization');

CREATE TABLE "_user" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  unit_id TEXT NOT NULL REFERENCES "_unit" (id),
  password_hash TEXT,
  disabled INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  changed_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX "_user_email" ON "_user" (lower(email));
CREATE INDEX "_user_unit" ON "_user" (unit_id);

CREATE TABLE "_team" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  unit_id TEXT NOT NULL REFERENCES "_unit" (id)
) WITHOUT ROWID;

CREATE TABLE "_team_member" (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES "_team" (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  UNIQUE (team_id, user_id)
) WITHOUT ROWID;
CREATE INDEX "_team_member_user" ON "_team_member" (user_id);

CREATE TABLE "_role" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  doc TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "_role" (id, name, doc) VALUES ('00000000-0000-7000-8000-000000000002', 'administrator', 'Holds every right.');

-- The rules of casbin: p grants, g roles. The id is a hash of the rest, so that no rule is there twice.
CREATE TABLE "_policy" (
  id TEXT PRIMARY KEY,
  ptype TEXT NOT NULL,
  v0 TEXT NOT NULL,
  v1 TEXT NOT NULL,
  v2 TEXT NOT NULL,
  v3 TEXT NOT NULL,
  v4 TEXT NOT NULL,
  v5 TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_policy_subject" ON "_policy" (ptype, v0);
CREATE INDEX "_policy_object" ON "_policy" (ptype, v1);

CREATE TABLE "_session" (
  hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  idle_at TEXT NOT NULL,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_session_user" ON "_session" (user_id);
CREATE INDEX "_session_idle" ON "_session" (idle_at);

CREATE TABLE "_api_key" (
  id TEXT PRIMARY KEY,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  revoked_at TEXT
) WITHOUT ROWID;
CREATE INDEX "_api_key_user" ON "_api_key" (user_id);
