-- Plugins: trained models, each version kept.
CREATE TABLE "_model" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  number INTEGER NOT NULL,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  table_name TEXT NOT NULL,
  settings TEXT NOT NULL,
  report TEXT NOT NULL,
  data BLOB NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (name, number)
) WITHOUT ROWID;
