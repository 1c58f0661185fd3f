-- Plugins: trained models, each version kept.
CREATE TABLE "_model" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  kind text NOT NULL,
  version text NOT NULL,
  table_name text NOT NULL,
  settings jsonb NOT NULL,
  report jsonb NOT NULL,
  data bytea NOT NULL,
  created_at timestamptz NOT NULL,
  created_by uuid NOT NULL,
  UNIQUE (name, number)
);
