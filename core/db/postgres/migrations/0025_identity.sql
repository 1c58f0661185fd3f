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
