ALTER TABLE books RENAME COLUMN title TO name;
ALTER TABLE books ALTER COLUMN price TYPE bigint;
ALTER TABLE books ADD COLUMN pages int NOT NULL;
ALTER TABLE books ADD COLUMN twice int GENERATED ALWAYS AS (pages * 2) STORED;
ALTER TABLE books ADD EXCLUDE USING gist (period WITH &&);
DO $$ BEGIN NULL; END $$;
CREATE EXTENSION hstore;
CLUSTER books USING books_pkey;
-- schemagate: allow no-safe-form reason="it has ten rows"
CLUSTER shops USING shops_pkey;
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES IN (1);
