-- schemagate: migration name="steps that are commands"
-- schemagate: expand
CREATE TABLE flag (name text PRIMARY KEY);
-- schemagate: run alembic argument=a1:b2
ALTER TABLE customer ADD COLUMN phone text;
ALTER TABLE customer ADD COLUMN fax text;
  -- schemagate: run search-index
-- schemagate: backfill
-- schemagate: run search-index argument="customer/phone"
-- schemagate: run search-index argument=orders

-- schemagate: contract
-- schemagate: run caches
ALTER TABLE customer DROP COLUMN name;

-- schemagate: undo
ALTER TABLE customer DROP COLUMN phone;

-- schemagate: run alembic argument=a1
