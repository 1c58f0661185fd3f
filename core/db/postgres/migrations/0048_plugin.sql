-- Which plugins of other people are enabled, in which form.
CREATE TABLE "_plugin" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  digest text COLLATE "C" NOT NULL,
  enabled boolean NOT NULL,
  changed_by uuid NOT NULL,
  changed_at timestamptz NOT NULL
);
