-- What one unit of a currency is worth in another, from a day on.
CREATE TABLE "_exchange_rate" (
  id TEXT PRIMARY KEY NOT NULL,
  currency TEXT NOT NULL,
  base TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  rate TEXT COLLATE decimal NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (base, currency, valid_from)
);
INSERT INTO "_meta" (key, value) VALUES ('base_currency', '');
