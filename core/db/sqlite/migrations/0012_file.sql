-- Files. The content is not in the database: it lies under its SHA-256 where the program keeps files. A row of "_blob" is the
-- lock of an address: who puts a content there or takes it away holds the row.
CREATE TABLE "_blob" (
  sha256 TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE "_file" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  size INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  sha256 TEXT NOT NULL REFERENCES "_blob" (sha256),
  width INTEGER,
  height INTEGER,
  attached INTEGER NOT NULL,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  created_at TEXT NOT NULL
);
CREATE INDEX "_file_sha256" ON "_file" (sha256);
CREATE INDEX "_file_owner" ON "_file" (owner_id);
CREATE INDEX "_file_unit" ON "_file" (unit_id);
CREATE INDEX "_file_waiting" ON "_file" (created_at) WHERE attached = 0;

-- Which records name a file, or have done so in a version that the history may still hold.
CREATE TABLE "_file_use" (
  file_id TEXT NOT NULL REFERENCES "_file" (id),
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  used_at TEXT NOT NULL,
  PRIMARY KEY (file_id, table_name, record_id)
) WITHOUT ROWID;
CREATE INDEX "_file_use_record" ON "_file_use" (record_id);
