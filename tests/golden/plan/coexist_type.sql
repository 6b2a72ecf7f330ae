ALTER TABLE book ALTER COLUMN price TYPE bigint, ADD COLUMN pages int;
