ALTER TABLE shop RENAME COLUMN name TO title;
ALTER TABLE shop RENAME COLUMN id TO number;
ALTER TABLE shop RENAME COLUMN code TO note;
ALTER TABLE visit RENAME COLUMN day TO at;
ALTER TABLE visit_1 RENAME TO visits;
ALTER TABLE shop ALTER COLUMN opened TYPE timestamptz;
-- schemagate: using up="(SELECT max(size) FROM shop)"
ALTER TABLE shop ALTER COLUMN size TYPE int;
-- schemagate: using up="1"
ALTER TABLE shop ADD COLUMN more int;
-- schemagate: using down="1"
ALTER TABLE shop ALTER COLUMN kind TYPE text;
