-- Flows: definitions, schedules, runs and steps. Moments that only the machinery compares are microseconds since 1970.
INSERT INTO "_meta" (key, value) VALUES ('flow_version', '0');

CREATE TABLE "_flow" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  doc TEXT NOT NULL,
  definition TEXT NOT NULL,
  version INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  run_as TEXT NOT NULL REFERENCES "_user" (id),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  updated_by TEXT NOT NULL,
  enabled_since INTEGER NOT NULL
);
CREATE INDEX "_flow_run_as" ON "_flow" (run_as);

CREATE TABLE "_flow_version" (
  id TEXT PRIMARY KEY,
  flow_id TEXT NOT NULL REFERENCES "_flow" (id),
  version INTEGER NOT NULL,
  definition TEXT NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (flow_id, version)
);

CREATE TABLE "_flow_schedule" (
  id TEXT PRIMARY KEY,
  flow_id TEXT NOT NULL UNIQUE REFERENCES "_flow" (id),
  next_at TEXT NOT NULL,
  slot INTEGER NOT NULL
);
CREATE INDEX "_flow_schedule_slot" ON "_flow_schedule" (slot);

CREATE TABLE "_flow_run" (
  id TEXT PRIMARY KEY,
  flow_id TEXT NOT NULL REFERENCES "_flow" (id),
  flow_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  status TEXT NOT NULL,
  trigger_kind TEXT NOT NULL,
  input TEXT NOT NULL,
  output TEXT,
  error TEXT,
  error_kind TEXT,
  key TEXT,
  cause TEXT NOT NULL,
  cause_id TEXT,
  depth INTEGER NOT NULL,
  started_by TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  finished_at TEXT,
  attempts INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  worker TEXT,
  lease INTEGER NOT NULL,
  due INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  timeout INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  items INTEGER NOT NULL,
  UNIQUE (flow_id, key)
);
CREATE INDEX "_flow_run_open" ON "_flow_run" (flow_id, id) WHERE status IN ('waiting', 'running');
CREATE INDEX "_flow_run_lease" ON "_flow_run" (lease) WHERE lease > 0;
CREATE INDEX "_flow_run_flow" ON "_flow_run" (flow_id, id);
CREATE INDEX "_flow_run_owner" ON "_flow_run" (owner_id);
CREATE INDEX "_flow_run_unit" ON "_flow_run" (unit_id);

CREATE TABLE "_flow_step" (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES "_flow_run" (id),
  path TEXT NOT NULL,
  iteration TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  input TEXT,
  output TEXT,
  error TEXT,
  error_kind TEXT,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_step_owner" ON "_flow_step" (owner_id);
CREATE INDEX "_flow_step_unit" ON "_flow_step" (unit_id);
