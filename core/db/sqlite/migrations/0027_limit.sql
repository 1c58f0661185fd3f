-- How much one request may ask for: of who holds a role, or of everybody.
CREATE TABLE "_query_limit" (
  id TEXT PRIMARY KEY,
  role_id TEXT REFERENCES "_role" (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value INTEGER NOT NULL,
  UNIQUE (role_id, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX "_query_limit_everybody" ON "_query_limit" (name) WHERE role_id IS NULL;
