-- Each unit has a team of all its users, which has the id of the unit.
ALTER TABLE "_team" ADD COLUMN unit_default boolean NOT NULL DEFAULT FALSE;
INSERT INTO "_team" (id, name, unit_id, unit_default)
SELECT u.id, CASE WHEN EXISTS (SELECT 1 FROM "_unit" o WHERE o.name = u.name AND o.id <> u.id) OR EXISTS (SELECT 1 FROM "_team" t WHERE t.name = u.name)
  THEN u.name || ' ' || CAST(u.id AS TEXT) ELSE u.name END, u.id, TRUE
FROM "_unit" u;
