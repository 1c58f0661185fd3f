-- What one unit of a currency is worth in another, from a day on.
CREATE TABLE "_exchange_rate" (
  id uuid PRIMARY KEY,
  currency text COLLATE "C" NOT NULL,
  base text COLLATE "C" NOT NULL,
  valid_from date NOT NULL,
  rate numeric(30,12) NOT NULL,
  created_at timestamptz NOT NULL,
  created_by uuid NOT NULL,
  UNIQUE (base, currency, valid_from)
);
INSERT INTO "_meta" (key, value) VALUES ('base_currency', '');
