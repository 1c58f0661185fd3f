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
