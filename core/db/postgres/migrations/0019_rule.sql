-- What business rules were, for each change of the schema that changed them. A definition that is NULL says that the rule went.
CREATE TABLE "_rule_version" (
  table_name text COLLATE "C" NOT NULL,
  rule text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  definition jsonb,
  was text,
  actor uuid NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (table_name, rule, version)
);
