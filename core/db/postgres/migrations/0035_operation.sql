-- GraphQL documents that clients run by their names, and whether anything else runs.
CREATE TABLE "_operation" (
  name text COLLATE "C" PRIMARY KEY NOT NULL,
  definition text NOT NULL
);

INSERT INTO "_meta" (key, value) VALUES ('only_registered', 'false');
