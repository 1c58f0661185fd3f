-- What went and what it took with it, so that it can come back: a row for each record that was deleted, that lost a lookup
-- (then with the column and what it led to), or that a merge changed. Histories are long, deletes are few.
CREATE TABLE "_deletion" (
  deletion_id uuid NOT NULL,
  kind text COLLATE "C" NOT NULL,
  table_name text COLLATE "C" NOT NULL,
  record_id uuid NOT NULL,
  version bigint NOT NULL,
  column_name text COLLATE "C",
  target_id uuid
);
CREATE INDEX "_deletion_of" ON "_deletion" (deletion_id, table_name);
CREATE INDEX "_deletion_record" ON "_deletion" (record_id);
CREATE INDEX "_history_deleted" ON "_history" (table_name, record_id, version) WHERE op = 'delete';

-- Cursors of change feeds are sealed with this key.
INSERT INTO "_meta" (key, value) VALUES ('cursor_key', encode(sha256((gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text)::bytea), 'hex'));
