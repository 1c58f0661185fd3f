-- Options that columns share.
CREATE TABLE "_option_set" (
  name TEXT PRIMARY KEY NOT NULL,
  definition TEXT NOT NULL
);

-- The next number of each counter that is part of the transaction.
CREATE TABLE "_counter" (
  name TEXT PRIMARY KEY NOT NULL,
  next INTEGER NOT NULL
);
