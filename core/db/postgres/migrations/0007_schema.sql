-- Indexes that are built while writers go on.
CREATE TABLE "_index_build" (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  table_name text NOT NULL,
  state text NOT NULL,
  error text,
  started_at timestamptz NOT NULL,
  alive_at timestamptz NOT NULL
);
