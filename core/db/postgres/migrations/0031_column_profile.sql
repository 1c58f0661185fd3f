-- Column profiles give secured columns; rights is a JSON list of them.
CREATE TABLE "_column_profile" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  doc text NOT NULL,
  rights text NOT NULL
);

-- Who is given a column profile: a role, a team or a user.
CREATE TABLE "_column_profile_holder" (
  id uuid PRIMARY KEY,
  profile_id uuid NOT NULL REFERENCES "_column_profile" (id) ON DELETE CASCADE,
  role_id uuid REFERENCES "_role" (id) ON DELETE CASCADE,
  team_id uuid REFERENCES "_team" (id) ON DELETE CASCADE,
  user_id uuid REFERENCES "_user" (id) ON DELETE CASCADE,
  CHECK (num_nonnulls(role_id, team_id, user_id) = 1)
);
CREATE UNIQUE INDEX "_column_profile_holder_role" ON "_column_profile_holder" (role_id, profile_id) WHERE role_id IS NOT NULL;
CREATE UNIQUE INDEX "_column_profile_holder_team" ON "_column_profile_holder" (team_id, profile_id) WHERE team_id IS NOT NULL;
CREATE UNIQUE INDEX "_column_profile_holder_user" ON "_column_profile_holder" (user_id, profile_id) WHERE user_id IS NOT NULL;
