-- Options that columns share.
CREATE TABLE "_option_set" (
  name TEXT PRIMARY KEY NOT NULL,
  definition TEXT NOT NULL
);
