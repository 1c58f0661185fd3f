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
