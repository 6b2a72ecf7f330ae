ALTER TABLE customer ADD COLUMN phone text;
-- schemagate: run alembic argument=a1
