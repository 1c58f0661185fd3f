-- What runs of flows wait for: a moment, or something with this source and key. One that has come is fired, one that was taken has the state 2.
CREATE TABLE "_flow_wait" (
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL REFERENCES "_flow_run" (id),
  path text COLLATE "C" NOT NULL,
  iteration text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  flow_id uuid NOT NULL REFERENCES "_flow" (id),
  version bigint NOT NULL,
  owner_id uuid NOT NULL REFERENCES "_user" (id),
  due bigint NOT NULL,
  state bigint NOT NULL,
  event jsonb,
  signal_id uuid,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_wait_due" ON "_flow_wait" (due) WHERE state = 0;
CREATE INDEX "_flow_wait_source" ON "_flow_wait" (source, key) WHERE state = 0;
CREATE INDEX "_flow_wait_flow" ON "_flow_wait" (flow_id);
CREATE INDEX "_flow_wait_owner" ON "_flow_wait" (owner_id);

-- Events that were emitted, for as long as runs may still come to wait for them.
CREATE TABLE "_flow_signal" (
  id uuid PRIMARY KEY,
  source text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  event jsonb NOT NULL,
  emitted bigint NOT NULL,
  until bigint NOT NULL
);
CREATE INDEX "_flow_signal_source" ON "_flow_signal" (source, key);
CREATE INDEX "_flow_signal_emitted" ON "_flow_signal" (emitted);
CREATE INDEX "_flow_signal_until" ON "_flow_signal" (until);

-- The runs that a run has called.
CREATE INDEX "_flow_run_called" ON "_flow_run" (cause_id) WHERE trigger_kind = 'call';
