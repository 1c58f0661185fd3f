-- What runs of flows ask people to approve, and whom. A request that was decided keeps what everybody said.
CREATE TABLE "_flow_approval" (
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL REFERENCES "_flow_run" (id),
  flow_id uuid NOT NULL REFERENCES "_flow" (id),
  flow_name text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  iteration text COLLATE "C" NOT NULL,
  title text COLLATE "C" NOT NULL,
  details jsonb,
  quorum bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  asked_by uuid NOT NULL,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  due_at timestamptz,
  closed_at timestamptz,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_approval_flow" ON "_flow_approval" (flow_id);
CREATE INDEX "_flow_approval_owner" ON "_flow_approval" (owner_id);
CREATE INDEX "_flow_approval_unit" ON "_flow_approval" (unit_id);

CREATE TABLE "_flow_assignment" (
  id uuid PRIMARY KEY,
  approval_id uuid NOT NULL REFERENCES "_flow_approval" (id),
  decision text COLLATE "C",
  comment text COLLATE "C",
  answered_at timestamptz,
  delegated_by uuid,
  owner_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  UNIQUE (approval_id, owner_id)
);
CREATE INDEX "_flow_assignment_owner" ON "_flow_assignment" (owner_id, created_at);
CREATE INDEX "_flow_assignment_unit" ON "_flow_assignment" (unit_id);
