-- GraphQL documents that clients run by their names, and whether anything else runs.
CREATE TABLE "_operation" (
  name TEXT PRIMARY KEY NOT NULL,
  definition TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO "_meta" (key, value) VALUES ('only_registered', 'false');
