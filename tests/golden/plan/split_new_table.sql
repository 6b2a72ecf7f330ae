BEGIN;
CREATE TABLE tags (id bigint PRIMARY KEY, name text UNIQUE, book_id bigint REFERENCES books (id));
CREATE INDEX tags_name ON tags (name);
ALTER TABLE tags ADD CHECK (name <> ''), ALTER COLUMN name SET NOT NULL;
INSERT INTO tags VALUES (1, 'a', NULL);
INSERT INTO tags (id, name, book_id) SELECT id, title, id FROM books;
DELETE FROM tags WHERE name = 'a';
COMMIT;
