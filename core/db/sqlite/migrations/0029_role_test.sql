-- Tests of roles: examples of what they give and do not give, as a JSON list.
ALTER TABLE "_role" ADD COLUMN tests TEXT NOT NULL DEFAULT '[]';
