-- Identity providers, and which user somebody of a provider is.
CREATE TABLE "_provider" (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  label text COLLATE "C" NOT NULL,
  issuer text COLLATE "C" NOT NULL UNIQUE,
  client_id text COLLATE "C" NOT NULL,
  scopes text COLLATE "C" NOT NULL,
  groups_claim text COLLATE "C" NOT NULL,
  group_roles text COLLATE "C" NOT NULL,
  default_roles text COLLATE "C" NOT NULL,
  on_first text COLLATE "C" NOT NULL,
  trust_email boolean NOT NULL,
  second_factor boolean NOT NULL,
  bearer_audience text COLLATE "C" NOT NULL,
  enabled boolean NOT NULL,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL
);

CREATE TABLE "_external_login" (
  id uuid PRIMARY KEY,
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  user_id uuid NOT NULL REFERENCES "_user" (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  used_at timestamptz,
  UNIQUE (issuer, subject)
);
CREATE INDEX "_external_login_user" ON "_external_login" (user_id);

-- Who is away at a provider.
CREATE TABLE "_provider_leave" (
  hash text COLLATE "C" PRIMARY KEY,
  provider_id uuid NOT NULL REFERENCES "_provider" (id) ON DELETE CASCADE,
  user_id uuid REFERENCES "_user" (id) ON DELETE CASCADE,
  next text COLLATE "C" NOT NULL,
  ends_at timestamptz NOT NULL
);
CREATE INDEX "_provider_leave_ends" ON "_provider_leave" (ends_at);
