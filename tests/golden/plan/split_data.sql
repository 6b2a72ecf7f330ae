-- Changes of rows in a file without markers: each goes in batches where it can, and says where it cannot.
CREATE TABLE titles (book bigint PRIMARY KEY, title text);
UPDATE books SET pages = 1 WHERE pages IS NULL;
INSERT INTO titles (book, title) SELECT id, title FROM books ON CONFLICT (book) DO NOTHING;
INSERT INTO titles VALUES (-1, 'unknown');
DELETE FROM titles WHERE title IS NULL;
UPDATE books SET price = prices.price FROM prices WHERE prices.book = books.id;
ALTER TABLE authors ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
SET search_path = app, public;
UPDATE authors SET seen = false WHERE seen IS NULL;
