-- What other servers know this one by; the secrets are sealed in _secret.
CREATE TABLE "_credential" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  settings TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  changed_at TEXT NOT NULL
) WITHOUT ROWID;
