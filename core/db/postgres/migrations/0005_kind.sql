-- Options that columns share.
CREATE TABLE "_option_set" (
  name text PRIMARY KEY NOT NULL,
  definition text NOT NULL
);

-- The next number of each counter that is part of the transaction.
CREATE TABLE "_counter" (
  name text PRIMARY KEY NOT NULL,
  next bigint NOT NULL
);
