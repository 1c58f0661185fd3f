-- Rights to single records that were given to a user, a team, or everyone (00000000-0000-7000-8000-000000000002): a bit for each of
-- read, update, delete, append, append_to, assign, share. Who gives twice to the same replaces what he gave; cause tells what else made
-- the share, such as a merge.
CREATE TABLE "_share" (
  id uuid PRIMARY KEY,
  table_name text COLLATE "C" NOT NULL,
  record_id uuid NOT NULL,
  principal_id uuid NOT NULL,
  rights bigint NOT NULL,
  expires_at timestamptz,
  reason text,
  template text COLLATE "C",
  cause text COLLATE "C" NOT NULL,
  cause_id uuid,
  granted_by uuid NOT NULL,
  granted_at timestamptz NOT NULL
);
CREATE INDEX "_share_record" ON "_share" (table_name, record_id, principal_id, rights, expires_at);
CREATE INDEX "_share_principal" ON "_share" (principal_id, table_name, record_id, rights, expires_at);
