CREATE INDEX books_isbn ON books (isbn);
CREATE UNIQUE INDEX IF NOT EXISTS books_code ON shop.books USING btree (lower(code)) WHERE code IS NOT NULL;
CREATE INDEX ON books (lower(title), author_id);
DROP INDEX old_one, shop.old_two;
REINDEX TABLE books;
