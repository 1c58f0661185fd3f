-- Which plugins of other people are enabled, in which form.
CREATE TABLE "_plugin" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  changed_by TEXT NOT NULL,
  changed_at TEXT NOT NULL
) WITHOUT ROWID;
