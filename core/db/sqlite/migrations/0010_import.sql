-- Imports of files: how far each has come, and what it refused.
CREATE TABLE "_import_batch" (
  id TEXT PRIMARY KEY,
  table_name TEXT NOT NULL,
  name TEXT NOT NULL,
  format TEXT NOT NULL,
  mode TEXT NOT NULL,
  key_name TEXT,
  status TEXT NOT NULL,
  settings TEXT NOT NULL,
  header TEXT NOT NULL,
  rows INTEGER NOT NULL,
  created INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  unchanged INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT NOT NULL,
  token TEXT NOT NULL,
  error TEXT,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  finished_at TEXT
);
CREATE INDEX "_import_batch_owner" ON "_import_batch" (owner_id);
CREATE INDEX "_import_batch_unit" ON "_import_batch" (unit_id);

CREATE TABLE "_import_failure" (
  id TEXT PRIMARY KEY,
  batch_id TEXT NOT NULL REFERENCES "_import_batch" (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  kind TEXT NOT NULL,
  column_name TEXT,
  message TEXT NOT NULL,
  cells TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL
);
CREATE INDEX "_import_failure_batch" ON "_import_failure" (batch_id, line);

CREATE INDEX "_history_import" ON "_history" (cause_id, record_id) WHERE cause IN ('import', 'import_undo');
