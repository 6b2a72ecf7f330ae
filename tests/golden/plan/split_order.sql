DROP VIEW names;
CREATE VIEW names AS SELECT 1;
ALTER TABLE books DROP COLUMN isbn;
ALTER TABLE books ADD COLUMN isbn text;
DROP INDEX books_title;
CREATE INDEX books_title ON books (title, year);
ALTER TABLE authors ADD CONSTRAINT authors_name UNIQUE (name);
CREATE TABLE aliases (name text REFERENCES authors (name));
-- schemagate: allow needs-contract reason="only reports read it"
CREATE VIEW isbns AS SELECT isbn FROM books;
