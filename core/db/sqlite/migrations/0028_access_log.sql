-- Who read what of tables whose reads are audited, and who signed in. seal is the row of the audit that holds the hash of the
-- entry, NULL until there is one.
CREATE TABLE "_access_log" (
  id TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  actor TEXT,
  behalf TEXT,
  cause TEXT NOT NULL,
  cause_id TEXT,
  table_name TEXT,
  address TEXT,
  request TEXT,
  data TEXT NOT NULL,
  seal INTEGER
) WITHOUT ROWID;
CREATE INDEX "_access_log_seal" ON "_access_log" (seal, id);
CREATE INDEX "_access_log_actor" ON "_access_log" (actor, id);
CREATE INDEX "_access_log_table" ON "_access_log" (table_name, id);

-- The records that an entry tells of.
CREATE TABLE "_access_record" (
  access_id TEXT NOT NULL,
  record_id TEXT NOT NULL,
  PRIMARY KEY (access_id, record_id)
) WITHOUT ROWID;
CREATE INDEX "_access_record_record" ON "_access_record" (record_id, access_id);
