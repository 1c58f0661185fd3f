-- Files. The content is not in the database: it lies under its SHA-256 where the program keeps files. A row of "_blob" is the
-- lock of an address: who puts a content there or takes it away holds the row.
CREATE TABLE "_blob" (
  sha256 text COLLATE "C" PRIMARY KEY,
  size bigint NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE "_file" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  size bigint NOT NULL,
  media_type text COLLATE "C" NOT NULL,
  sha256 text COLLATE "C" NOT NULL REFERENCES "_blob" (sha256),
  width bigint,
  height bigint,
  attached boolean NOT NULL,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX "_file_sha256" ON "_file" (sha256);
CREATE INDEX "_file_owner" ON "_file" (owner_id);
CREATE INDEX "_file_unit" ON "_file" (unit_id);
CREATE INDEX "_file_waiting" ON "_file" (created_at) WHERE NOT attached;

-- Which records name a file, or have done so in a version that the history may still hold.
CREATE TABLE "_file_use" (
  file_id uuid NOT NULL REFERENCES "_file" (id),
  table_name text COLLATE "C" NOT NULL,
  record_id uuid NOT NULL,
  used_at timestamptz NOT NULL,
  PRIMARY KEY (file_id, table_name, record_id)
);
CREATE INDEX "_file_use_record" ON "_file_use" (record_id);
