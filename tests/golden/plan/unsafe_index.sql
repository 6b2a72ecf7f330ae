-- schemagate: expand
CREATE INDEX books_title ON books (title);
REINDEX TABLE books;
DROP INDEX books_title;
REFRESH MATERIALIZED VIEW sales;
