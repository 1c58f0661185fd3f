-- What went and what it took with it, so that it can come back: a row for each record that was deleted, that lost a lookup
-- (then with the column and what it led to), or that a merge changed. Histories are long, deletes are few.
CREATE TABLE "_deletion" (
  deletion_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  column_name TEXT,
  target_id TEXT
);
CREATE INDEX "_deletion_of" ON "_deletion" (deletion_id, table_name);
CREATE INDEX "_deletion_record" ON "_deletion" (record_id);
CREATE INDEX "_history_deleted" ON "_history" (table_name, record_id, version) WHERE op = 'delete';

-- Cursors of change feeds are sealed with this key.
INSERT INTO "_meta" (key, value) VALUES ('cursor_key', lower(hex(randomblob(32))));
