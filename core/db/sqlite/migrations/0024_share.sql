-- Rights to single records that were given to a user, a team, or everyone (00000000-0000-7000-8000-000000000002): a bit for each of
-- read, update, delete, append, append_to, assign, share. Who gives twice to the same replaces what he gave; cause tells what else made
-- the share, such as a merge.
CREATE TABLE "_share" (
  id TEXT PRIMARY KEY,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  principal_id TEXT NOT NULL,
  rights INTEGER NOT NULL,
  expires_at TEXT,
  reason TEXT,
  template TEXT,
  cause TEXT NOT NULL,
  cause_id TEXT,
  granted_by TEXT NOT NULL,
  granted_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX "_share_record" ON "_share" (table_name, record_id, principal_id, rights, expires_at);
CREATE INDEX "_share_principal" ON "_share" (principal_id, table_name, record_id, rights, expires_at);
