-- schemagate: expand
REVOKE SELECT ON books FROM reader;
DROP FUNCTION price(int), discount(int, text);
DROP TRIGGER audit ON books;
DROP TYPE mood;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
ALTER TYPE address ADD ATTRIBUTE zip text;
DROP EXTENSION hstore;
DROP INDEX CONCURRENTLY books_isbn;
ALTER TABLE books DROP CONSTRAINT price_positive;
