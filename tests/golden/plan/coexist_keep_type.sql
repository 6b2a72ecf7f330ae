-- schemagate: migration keep_hours=24
ALTER TABLE book ALTER COLUMN price TYPE bigint;
