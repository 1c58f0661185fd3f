-- What runs of flows ask people to approve, and whom. A request that was decided keeps what everybody said.
CREATE TABLE "_flow_approval" (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES "_flow_run" (id),
  flow_id TEXT NOT NULL REFERENCES "_flow" (id),
  flow_name TEXT NOT NULL,
  path TEXT NOT NULL,
  iteration TEXT NOT NULL,
  title TEXT NOT NULL,
  details TEXT,
  quorum INTEGER NOT NULL,
  status TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  due_at TEXT,
  closed_at TEXT,
  UNIQUE (run_id, path, iteration)
);
CREATE INDEX "_flow_approval_flow" ON "_flow_approval" (flow_id);
CREATE INDEX "_flow_approval_owner" ON "_flow_approval" (owner_id);
CREATE INDEX "_flow_approval_unit" ON "_flow_approval" (unit_id);

CREATE TABLE "_flow_assignment" (
  id TEXT PRIMARY KEY,
  approval_id TEXT NOT NULL REFERENCES "_flow_approval" (id),
  decision TEXT,
  comment TEXT,
  answered_at TEXT,
  delegated_by TEXT,
  owner_id TEXT NOT NULL,
  unit_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (approval_id, owner_id)
);
CREATE INDEX "_flow_assignment_owner" ON "_flow_assignment" (owner_id, created_at);
CREATE INDEX "_flow_assignment_unit" ON "_flow_assignment" (unit_id);
