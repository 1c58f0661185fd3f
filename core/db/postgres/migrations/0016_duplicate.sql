-- What records are compared by, for each duplicate rule: a hash of the values. Of the records that a rule blocks, one has the slot of zeros.
CREATE TABLE "_duplicate" (
  rule bigint NOT NULL,
  value text COLLATE "C" NOT NULL,
  slot uuid NOT NULL,
  record_id uuid NOT NULL,
  PRIMARY KEY (rule, value, slot)
);
CREATE INDEX "_duplicate_record" ON "_duplicate" (record_id, rule);

-- How far the records of a duplicate rule are compared.
CREATE TABLE "_duplicate_index" (
  id uuid PRIMARY KEY,
  rule_key bigint NOT NULL UNIQUE,
  table_name text NOT NULL,
  rule text NOT NULL,
  state text NOT NULL,
  records bigint NOT NULL,
  last_id uuid,
  error text,
  started_at timestamptz NOT NULL
);

-- The rows of an import that are like other records.
ALTER TABLE "_import_batch" ADD COLUMN duplicates bigint NOT NULL DEFAULT 0;
