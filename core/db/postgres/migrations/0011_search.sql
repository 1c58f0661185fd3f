-- Full-text search: the words of each record that is indexed.
CREATE TABLE "_search" (
  table_name text COLLATE "C" NOT NULL,
  record_id uuid NOT NULL,
  doc tsvector NOT NULL,
  PRIMARY KEY (table_name, record_id)
);
CREATE INDEX "_search_doc" ON "_search" USING gin (doc);
