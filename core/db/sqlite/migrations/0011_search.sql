-- Full-text search: a number for each record that is indexed, and its words under that number.
CREATE TABLE "_search" (
  seq INTEGER PRIMARY KEY,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  UNIQUE (table_name, record_id)
);

CREATE VIRTUAL TABLE "_search_text" USING fts5(doc, content='', contentless_delete=1, tokenize='ascii');
