-- What other servers know this one by; the secrets are sealed in _secret.
CREATE TABLE "_credential" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  kind text COLLATE "C" NOT NULL,
  settings jsonb NOT NULL,
  changed_by uuid NOT NULL,
  changed_at timestamptz NOT NULL
);
