-- Imports of files: how far each has come, and what it refused.
CREATE TABLE "_import_batch" (
  id uuid PRIMARY KEY,
  table_name text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  format text COLLATE "C" NOT NULL,
  mode text COLLATE "C" NOT NULL,
  key_name text COLLATE "C",
  status text COLLATE "C" NOT NULL,
  settings jsonb NOT NULL,
  header jsonb NOT NULL,
  rows bigint NOT NULL,
  created bigint NOT NULL,
  changed bigint NOT NULL,
  unchanged bigint NOT NULL,
  refused bigint NOT NULL,
  bytes bigint NOT NULL,
  digest text COLLATE "C" NOT NULL,
  token text COLLATE "C" NOT NULL,
  error text COLLATE "C",
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  finished_at timestamptz
);
CREATE INDEX "_import_batch_owner" ON "_import_batch" (owner_id);
CREATE INDEX "_import_batch_unit" ON "_import_batch" (unit_id);

CREATE TABLE "_import_failure" (
  id uuid PRIMARY KEY,
  batch_id uuid NOT NULL REFERENCES "_import_batch" (id) ON DELETE CASCADE,
  line bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  column_name text COLLATE "C",
  message text COLLATE "C" NOT NULL,
  cells jsonb NOT NULL,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL
);
CREATE INDEX "_import_failure_batch" ON "_import_failure" (batch_id, line);

CREATE INDEX "_history_import" ON "_history" (cause_id, record_id) WHERE cause IN ('import', 'import_undo');
