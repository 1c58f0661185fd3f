-- Column profiles give secured columns; rights is a JSON list of them.
CREATE TABLE "_column_profile" (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  doc TEXT NOT NULL,
  rights TEXT NOT NULL
) WITHOUT ROWID;

-- Who is given a column profile: a role, a team or a user.
CREATE TABLE "_column_profile_holder" (
  id TEXT PRIMARY KEY,
  profile_id TEXT NOT NULL REFERENCES "_column_profile" (id) ON DELETE CASCADE,
  role_id TEXT REFERENCES "_role" (id) ON DELETE CASCADE,
  team_id TEXT REFERENCES "_team" (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES "_user" (id) ON DELETE CASCADE,
  CHECK ((role_id IS NOT NULL) + (team_id IS NOT NULL) + (user_id IS NOT NULL) = 1)
) WITHOUT ROWID;
CREATE UNIQUE INDEX "_column_profile_holder_role" ON "_column_profile_holder" (role_id, profile_id) WHERE role_id IS NOT NULL;
CREATE UNIQUE INDEX "_column_profile_holder_team" ON "_column_profile_holder" (team_id, profile_id) WHERE team_id IS NOT NULL;
CREATE UNIQUE INDEX "_column_profile_holder_user" ON "_column_profile_holder" (user_id, profile_id) WHERE user_id IS NOT NULL;
