-- Users, roles and what they may do.
CREATE TABLE "_unit" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  parent_id uuid REFERENCES "_unit" (id)
);
CREATE INDEX "_unit_parent" ON "_unit" (parent_id);
INSERT INTO "_unit" (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'Organization');

CREATE TABLE "_user" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  email text COLLATE "C" NOT NULL,
  unit_id uuid NOT NULL REFERENCES "_unit" (id),
  password_hash text COLLATE "C",
  disabled boolean NOT NULL,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX "_user_email" ON "_user" (lower(email));
CREATE INDEX "_user_unit" ON "_user" (unit_id);

CREATE TABLE "_team" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  unit_id uuid NOT NULL REFERENCES "_unit" (id)
);

CREATE TABLE "_team_member" (
  id uuid PRIMARY KEY,
  team_id uuid NOT NULL REFERENCES "_team" (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  UNIQUE (team_id, user_id)
);
CREATE INDEX "_team_member_user" ON "_team_member" (user_id);

CREATE TABLE "_role" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  doc text COLLATE "C" NOT NULL
);
INSERT INTO "_role" (id, name, doc) VALUES ('00000000-0000-7000-8000-000000000002', 'administrator', 'Holds every right.');

-- The rules of casbin: p grants, g roles. The id is a hash of the rest, so that no rule is there twice.
CREATE TABLE "_policy" (
  id uuid PRIMARY KEY,
  ptype text COLLATE "C" NOT NULL,
  v0 text COLLATE "C" NOT NULL,
  v1 text COLLATE "C" NOT NULL,
  v2 text COLLATE "C" NOT NULL,
  v3 text COLLATE "C" NOT NULL,
  v4 text COLLATE "C" NOT NULL,
  v5 text COLLATE "C" NOT NULL
);
CREATE INDEX "_policy_subject" ON "_policy" (ptype, v0);
CREATE INDEX "_policy_object" ON "_policy" (ptype, v1);

CREATE TABLE "_session" (
  hash text COLLATE "C" PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  address text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  idle_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL
);
CREATE INDEX "_session_user" ON "_session" (user_id);
CREATE INDEX "_session_idle" ON "_session" (idle_at);

CREATE TABLE "_api_key" (
  id uuid PRIMARY KEY,
  prefix text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX "_api_key_user" ON "_api_key" (user_id);
