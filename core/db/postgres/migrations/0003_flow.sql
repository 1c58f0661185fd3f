-- Flows: definitions, schedules, runs and steps. Moments that only the machinery compares are microseconds since 1970.
INSERT INTO "_meta" (key, value) VALUES ('flow_version', '0');

CREATE TABLE "_flow" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  doc text COLLATE "C" NOT NULL,
  definition text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  enabled boolean NOT NULL,
  run_as uuid NOT NULL REFERENCES "_user" (id),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by uuid NOT NULL,
  enabled_since bigint NOT NULL
);
CREATE INDEX "_flow_run_as" ON "_flow" (run_as);

CREATE TABLE "_flow_version" (
  id uuid PRIMARY KEY,
  flow_id uuid NOT NULL REFERENCES "_flow" (id),
  version bigint NOT NULL,
  definition text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  created_by uuid NOT NULL,
  UNIQUE (flow_id, version)
);

CREATE TABLE "_flow_schedule" (
  id uuid PRIMARY KEY,
  flow_id uuid NOT NULL UNIQUE REFERENCES "_flow" (id),
  next_at timestamptz NOT NULL,
  slot bigint NOT NULL
);
CREATE INDEX "_flow_schedule_slot" ON "_flow_schedule" (slot);

CREATE TABLE "_flow_run" (
  id uuid PRIMARY KEY,
  flow_id uuid NOT NULL REFERENCES "_flow" (id),
  flow_name text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  trigger_kind text COLLATE "C" NOT NULL,
  input jsonb NOT NULL,
  output jsonb,
  error text COLLATE "C",
  error_kind text COLLATE "C",
  key text COLLATE "C",
  cause text COLLATE "C" NOT NULL,
  cause_id text COLLATE "C",
  depth bigint NOT NULL,
  started_by uuid NOT NULL,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  attempts bigint NOT NULL,
  fence bigint NOT NULL,
  worker text COLLATE "C",
  lease bigint NOT NULL,
  due bigint NOT NULL,
  deadline bigint NOT NULL,
  timeout bigint NOT NULL,
  queued bigint NOT NULL,
  crashes bigint NOT NULL,
  items bigint NOT NULL,
  UNIQUE (flow_id, key)
);
CREATE INDEX "_flow_run_open" ON "_flow_run" (flow_id, id) WHERE status IN ('waiting', 'running');
CREATE INDEX "_flow_run_lease" ON "_flow_run" (lease) WHERE lease > 0;
CREATE INDEX "_flow_run_flow" ON "_flow_run" (flow_id, id);
CREATE INDEX "_flow_run_owner" ON "_flow_run" (owner_id);
CREATE INDEX "_flow_run_unit" ON "_flow_run" (unit_id);

CREATE TABLE "_flow_step" (
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL REFERENCES "_flow_run" (id),
  path text COLLATE "C" NOT NULL,
  iteration text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  attempt bigint NOT NULL,
  input jsonb,
  output jsonb,
  error text COLLATE "C",
  error_kind text COLLATE "C",
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_step_owner" ON "_flow_step" (owner_id);
CREATE INDEX "_flow_step_unit" ON "_flow_step" (unit_id);
