-- The table layer: definitions, history, events.
CREATE TABLE "_meta" (key text PRIMARY KEY, value text NOT NULL);
INSERT INTO "_meta" (key, value) VALUES ('schema_version', '0'), ('policy_version', '0');

CREATE TABLE "_table" (
  name text PRIMARY KEY,
  definition jsonb NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE "_change" (
  version bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor uuid NOT NULL,
  statements jsonb NOT NULL
);

CREATE TABLE "_history" (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  table_name text COLLATE "C" NOT NULL,
  record_id uuid NOT NULL,
  version bigint NOT NULL,
  op text NOT NULL,
  data jsonb,
  actor uuid NOT NULL,
  behalf uuid,
  cause text NOT NULL,
  cause_id text,
  at timestamptz NOT NULL
);
CREATE UNIQUE INDEX "_history_record" ON "_history" (record_id, version, table_name);

CREATE TABLE "_event" (
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  table_name text NOT NULL,
  record_id uuid NOT NULL,
  version bigint NOT NULL,
  op text NOT NULL,
  actor uuid NOT NULL,
  cause text NOT NULL,
  cause_id text,
  depth bigint NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tx, seq)
);

CREATE TABLE "_cursor" (name text PRIMARY KEY, tx bigint NOT NULL, seq bigint NOT NULL);
