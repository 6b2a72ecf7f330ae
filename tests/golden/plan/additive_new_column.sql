-- schemagate: expand
ALTER TABLE books ADD COLUMN isbn varchar(17);
ALTER TABLE books ADD CONSTRAINT isbn_length CHECK (length(isbn) > 3) NOT VALID;
ALTER TABLE books ADD CONSTRAINT isbn_form CHECK (isbn ~ '^[0-9-]+$') NOT VALID;
ALTER TABLE books VALIDATE CONSTRAINT isbn_form;
CREATE UNIQUE INDEX CONCURRENTLY books_isbn ON books (isbn);
ALTER TABLE books ADD CONSTRAINT books_isbn_key UNIQUE USING INDEX books_isbn;
ALTER TABLE books ALTER COLUMN isbn DROP DEFAULT;
ALTER TABLE books RENAME COLUMN isbn TO number;
