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
