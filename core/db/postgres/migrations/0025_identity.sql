-- Secrets, sealed with a key that is not in the database.
CREATE TABLE "_secret" (
  id uuid PRIMARY KEY,
  kind text COLLATE "C" NOT NULL,
  of_id uuid NOT NULL,
  sealed text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  UNIQUE (kind, of_id)
);

-- Programs are users of their own kind, and keys can be made for less than a user may do.
ALTER TABLE "_user" ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'person';
ALTER TABLE "_api_key" ADD COLUMN scope text COLLATE "C";
ALTER TABLE "_api_key" ADD COLUMN used_at timestamptz;

-- Second factors, which people have and roles ask for.
ALTER TABLE "_user" ADD COLUMN second_factor boolean NOT NULL DEFAULT FALSE;
ALTER TABLE "_role" ADD COLUMN second_factor boolean NOT NULL DEFAULT FALSE;

CREATE TABLE "_factor" (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  kind text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  confirmed_at timestamptz,
  used_step bigint NOT NULL
);
CREATE INDEX "_factor_user" ON "_factor" (user_id);

CREATE TABLE "_recovery_code" (
  hash text COLLATE "C" PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  used_at timestamptz
);
CREATE INDEX "_recovery_code_user" ON "_recovery_code" (user_id);

-- Links with which people set a new password, once.
CREATE TABLE "_password_reset" (
  hash text COLLATE "C" PRIMARY KEY,
  user_id uuid NOT NULL UNIQUE REFERENCES "_user" (id) ON DELETE CASCADE,
  created_by uuid NOT NULL,
  ends_at timestamptz NOT NULL
);

-- Sessions tell how they began.
DROP TABLE "_session";
CREATE TABLE "_session" (
  hash text COLLATE "C" PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  method text COLLATE "C" NOT NULL,
  address text COLLATE "C" NOT NULL,
  agent text COLLATE "C" NOT NULL,
  rights text COLLATE "C" NOT NULL,
  strong_at timestamptz,
  created_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  idle_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL
);
CREATE INDEX "_session_user" ON "_session" (user_id);
CREATE INDEX "_session_idle" ON "_session" (idle_at);
