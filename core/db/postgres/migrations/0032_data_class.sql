-- Labels of columns, and what becomes of the values of those that carry them.
CREATE TABLE "_data_class" (
  name text COLLATE "C" PRIMARY KEY NOT NULL,
  definition text NOT NULL
);

-- The data classes that who holds the role is denied, as a JSON list.
ALTER TABLE "_role" ADD COLUMN denied_classes text NOT NULL DEFAULT '[]';
