-- Options that columns share.
CREATE TABLE "_option_set" (
  name text PRIMARY KEY NOT NULL,
  definition text NOT NULL
);
