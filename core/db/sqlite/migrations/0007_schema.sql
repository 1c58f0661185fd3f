-- Indexes that are built while writers go on.
CREATE TABLE "_index_build" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT,
  started_at TEXT NOT NULL,
  alive_at TEXT NOT NULL
) WITHOUT ROWID;
