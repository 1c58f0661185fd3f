-- Who reports to whom: by manager, or by the tree of positions.
CREATE TABLE "_position" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  parent_id uuid REFERENCES "_position" (id)
);
CREATE INDEX "_position_parent" ON "_position" (parent_id);
ALTER TABLE "_user" ADD COLUMN manager_id uuid REFERENCES "_user" (id);
ALTER TABLE "_user" ADD COLUMN position_id uuid REFERENCES "_position" (id);
CREATE INDEX "_user_manager" ON "_user" (manager_id);
CREATE INDEX "_user_position" ON "_user" (position_id);

-- Which of the two counts, and over how many steps. There is one row.
CREATE TABLE "_hierarchy" (
  id uuid PRIMARY KEY,
  mode text COLLATE "C" NOT NULL,
  depth bigint NOT NULL
);
INSERT INTO "_hierarchy" (id, mode, depth) VALUES ('00000000-0000-7000-8000-000000000003', 'off', 3);
