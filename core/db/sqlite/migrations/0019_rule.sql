-- What business rules were, for each change of the schema that changed them. A definition that is NULL says that the rule went.
CREATE TABLE "_rule_version" (
  table_name TEXT NOT NULL,
  rule TEXT NOT NULL,
  version INTEGER NOT NULL,
  definition TEXT,
  was TEXT,
  actor TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (table_name, rule, version)
) WITHOUT ROWID;
