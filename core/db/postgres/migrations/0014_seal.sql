-- The seals of history: each says what some versions of records were, in the order of their events, and what came before. The
-- bytes come last, so that who looks for a seal does not read them. Salts are overwritten when what they were used for is erased.
CREATE TABLE "_seal" (
  number bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  from_tx bigint NOT NULL,
  from_seq bigint NOT NULL,
  to_tx bigint NOT NULL,
  to_seq bigint NOT NULL,
  leaf_count bigint NOT NULL,
  first_at timestamptz,
  last_at timestamptz,
  audit_seq bigint NOT NULL,
  audit_head bytea NOT NULL,
  head bytea NOT NULL,
  tables text NOT NULL,
  leaves bytea NOT NULL,
  salts bytea NOT NULL
);
CREATE INDEX "_seal_at" ON "_seal" (last_at, first_at, number);
CREATE INDEX "_seal_to" ON "_seal" (to_tx, to_seq, first_at);

-- What was done to definitions, rights and the history itself. Each row holds a hash of itself and of the one before. seal is the
-- seal some of whose versions were erased.
CREATE TABLE "_audit" (
  seq bigint PRIMARY KEY,
  kind text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  actor uuid NOT NULL,
  behalf uuid,
  cause text NOT NULL,
  cause_id text,
  seal bigint,
  data text NOT NULL,
  head bytea NOT NULL
);
CREATE INDEX "_audit_seal" ON "_audit" (seal) WHERE seal IS NOT NULL;
CREATE INDEX "_audit_kind" ON "_audit" (kind, seq);
INSERT INTO "_meta" (key, value) VALUES ('audit', '');
