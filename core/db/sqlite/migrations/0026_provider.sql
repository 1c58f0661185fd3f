-- Identity providers, and which user somebody of a provider is.
CREATE TABLE "_provider" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  label TEXT NOT NULL,
  issuer TEXT NOT NULL UNIQUE,
  client_id TEXT NOT NULL,
  scopes TEXT NOT NULL,
  groups_claim TEXT NOT NULL,
  group_roles TEXT NOT NULL,
  default_roles TEXT NOT NULL,
  on_first TEXT NOT NULL,
  trust_email INTEGER NOT NULL,
  second_factor INTEGER NOT NULL,
  bearer_audience TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  changed_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE "_external_login" (
  id TEXT PRIMARY KEY,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  used_at TEXT,
  UNIQUE (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX "_external_login_user" ON "_external_login" (user_id);

-- Who is away at a provider.
CREATE TABLE "_provider_leave" (
  hash TEXT PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES "_provider" (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES "_user" (id) ON DELETE CASCADE,
  next TEXT NOT NULL,
  ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_provider_leave_ends" ON "_provider_leave" (ends_at);
