-- The seals of history: each says what some versions of records were, in the order of their events, and what came before. The
-- bytes come last, so that who looks for a seal does not read them. Salts are overwritten when what they were used for is erased.
CREATE TABLE "_seal" (
  number INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  from_tx INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_tx INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  leaf_count INTEGER NOT NULL,
  first_at TEXT,
  last_at TEXT,
  audit_seq INTEGER NOT NULL,
  audit_head BLOB NOT NULL,
  head BLOB NOT NULL,
  tables TEXT NOT NULL,
  leaves BLOB NOT NULL,
  salts BLOB NOT NULL
);
CREATE INDEX "_seal_at" ON "_seal" (last_at, first_at, number);
CREATE INDEX "_seal_to" ON "_seal" (to_tx, to_seq, first_at);

-- What was done to definitions, rights and the history itself. Each row holds a hash of itself and of the one before. seal is the
-- seal some of whose versions were erased.
CREATE TABLE "_audit" (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  behalf TEXT,
  cause TEXT NOT NULL,
  cause_id TEXT,
  seal INTEGER,
  data TEXT NOT NULL,
  head BLOB NOT NULL
);
CREATE INDEX "_audit_seal" ON "_audit" (seal) WHERE seal IS NOT NULL;
CREATE INDEX "_audit_kind" ON "_audit" (kind, seq);
INSERT INTO "_meta" (key, value) VALUES ('audit', '');
