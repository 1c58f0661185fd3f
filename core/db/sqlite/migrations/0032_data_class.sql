-- Labels of columns, and what becomes of the values of those that carry them.
CREATE TABLE "_data_class" (
  name TEXT PRIMARY KEY NOT NULL,
  definition TEXT NOT NULL
) WITHOUT ROWID;

-- The data classes that who holds the role is denied, as a JSON list.
ALTER TABLE "_role" ADD COLUMN denied_classes TEXT NOT NULL DEFAULT '[]';
