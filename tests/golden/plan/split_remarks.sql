-- schemagate: migration style=on
-- What nothing can be done about is said in a file without markers, too.
ALTER TABLE books ADD COLUMN data json, ALTER COLUMN title DROP NOT NULL, ADD COLUMN at timestamp;
CREATE OR REPLACE FUNCTION price() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TRIGGER audit AFTER INSERT ON books FOR EACH ROW EXECUTE FUNCTION note();
CREATE DOMAIN isbn AS text CHECK (length(VALUE) > 3);
DROP VIEW titles CASCADE;
ALTER TYPE mood ADD VALUE 'sad';
CREATE TABLE tags (id serial, name varchar(20));
