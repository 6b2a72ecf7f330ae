-- schemagate: contract
DROP TABLE books, public.authors CASCADE;
ALTER TABLE orders RENAME TO sales;
ALTER TABLE orders SET SCHEMA archive;
TRUNCATE log;
DROP VIEW IF EXISTS report;
