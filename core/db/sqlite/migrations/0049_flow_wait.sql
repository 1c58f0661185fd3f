-- What runs of flows wait for: a moment, or something with this source and key. One that has come is fired, one that was taken has the state 2.
CREATE TABLE "_flow_wait" (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES "_flow_run" (id),
  path TEXT NOT NULL,
  iteration TEXT NOT NULL,
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  flow_id TEXT NOT NULL REFERENCES "_flow" (id),
  version INTEGER NOT NULL,
  owner_id TEXT NOT NULL REFERENCES "_user" (id),
  due INTEGER NOT NULL,
  state INTEGER NOT NULL,
  event TEXT,
  signal_id TEXT,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_wait_due" ON "_flow_wait" (due) WHERE state = 0;
CREATE INDEX "_flow_wait_source" ON "_flow_wait" (source, key) WHERE state = 0;
CREATE INDEX "_flow_wait_flow" ON "_flow_wait" (flow_id);
CREATE INDEX "_flow_wait_owner" ON "_flow_wait" (owner_id);

-- Events that were emitted, for as long as runs may still come to wait for them.
CREATE TABLE "_flow_signal" (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  event TEXT NOT NULL,
  emitted INTEGER NOT NULL,
  until INTEGER NOT NULL
);
CREATE INDEX "_flow_signal_source" ON "_flow_signal" (source, key);
CREATE INDEX "_flow_signal_emitted" ON "_flow_signal" (emitted);
CREATE INDEX "_flow_signal_until" ON "_flow_signal" (until);

-- The runs that a run has called.
CREATE INDEX "_flow_run_called" ON "_flow_run" (cause_id) WHERE trigger_kind = 'call';
