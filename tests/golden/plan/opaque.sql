-- schemagate: expand
DO $$ BEGIN PERFORM 1; END $$;
CALL rebuild();
SELECT add_geometry_column('books', 'place');
ALTER EXTENSION postgis UPDATE;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE EXTENSION anything;
