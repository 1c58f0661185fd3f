-- What records are compared by, for each duplicate rule: a hash of the values. Of the records that a rule blocks, one has the slot of zeros.
CREATE TABLE "_duplicate" (
  rule INTEGER NOT NULL,
  value TEXT NOT NULL,
  slot TEXT NOT NULL,
  record_id TEXT NOT NULL,
  PRIMARY KEY (rule, value, slot)
) WITHOUT ROWID;
CREATE INDEX "_duplicate_record" ON "_duplicate" (record_id, rule);

-- How far the records of a duplicate rule are compared.
CREATE TABLE "_duplicate_index" (
  id TEXT PRIMARY KEY NOT NULL,
  rule_key INTEGER NOT NULL UNIQUE,
  table_name TEXT NOT NULL,
  rule TEXT NOT NULL,
  state TEXT NOT NULL,
  records INTEGER NOT NULL,
  last_id TEXT,
  error TEXT,
  started_at TEXT NOT NULL
);

-- The rows of an import that are like other records.
ALTER TABLE "_import_batch" ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
