-- Who read what of tables whose reads are audited, and who signed in. seal is the row of the audit that holds the hash of the
-- entry, NULL until there is one.
CREATE TABLE "_access_log" (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  kind text COLLATE "C" NOT NULL,
  actor uuid,
  behalf uuid,
  cause text NOT NULL,
  cause_id text,
  table_name text COLLATE "C",
  address text,
  request text,
  data text NOT NULL,
  seal bigint
);
CREATE INDEX "_access_log_seal" ON "_access_log" (seal, id);
CREATE INDEX "_access_log_actor" ON "_access_log" (actor, id);
CREATE INDEX "_access_log_table" ON "_access_log" (table_name, id);

-- The records that an entry tells of.
CREATE TABLE "_access_record" (
  access_id uuid NOT NULL,
  record_id uuid NOT NULL,
  PRIMARY KEY (access_id, record_id)
);
CREATE INDEX "_access_record_record" ON "_access_record" (record_id, access_id);
