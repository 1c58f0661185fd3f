-- The table layer: definitions, history, events.
CREATE TABLE "_meta" (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "_meta" (key, value) VALUES ('schema_version', '0'), ('policy_version', '0');

CREATE TABLE "_table" (
  name TEXT PRIMARY KEY,
  definition TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE "_change" (
  version INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  statements TEXT NOT NULL
);

CREATE TABLE "_history" (
  seq INTEGER PRIMARY KEY,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  op TEXT NOT NULL,
  data TEXT,
  actor TEXT NOT NULL,
  behalf TEXT,
  cause TEXT NOT NULL,
  cause_id TEXT,
  at TEXT NOT NULL
);
CREATE UNIQUE INDEX "_history_record" ON "_history" (record_id, version, table_name);

CREATE TABLE "_event" (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  op TEXT NOT NULL,
  actor TEXT NOT NULL,
  cause TEXT NOT NULL,
  cause_id TEXT,
  depth INTEGER NOT NULL,
  at TEXT NOT NULL
);

CREATE TABLE "_cursor" (name TEXT PRIMARY KEY, tx INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
