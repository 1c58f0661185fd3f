-- How much one request may ask for: of who holds a role, or of everybody.
CREATE TABLE "_query_limit" (
  id uuid PRIMARY KEY,
  role_id uuid REFERENCES "_role" (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  value bigint NOT NULL,
  UNIQUE (role_id, name)
);
CREATE UNIQUE INDEX "_query_limit_everybody" ON "_query_limit" (name) WHERE role_id IS NULL;
