ALTER TABLE shop DROP COLUMN owner;
-- schemagate: using up="coalesce(name, 'unnamed')"
ALTER TABLE shop ALTER COLUMN code SET NOT NULL;
