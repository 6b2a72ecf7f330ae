-- An ALTER TABLE of several commands: those that go to one phase as they are written stay one statement.
ALTER TABLE books DROP COLUMN isbn, DROP COLUMN code, DROP CONSTRAINT one_title;
CREATE TABLE tags (book int, tag text);
ALTER TABLE tags ADD CHECK (tag <> ''), ADD COLUMN size int, ALTER COLUMN book SET NOT NULL;
ALTER TABLE books ADD COLUMN pages int, ALTER COLUMN price DROP DEFAULT, DROP COLUMN shelf;
INSERT INTO tags SELECT id, title FROM books;
-- It reads rows that the backfill writes, and the view needs the table.
CREATE TABLE copies AS SELECT book FROM tags;
CREATE VIEW ids AS SELECT book FROM copies;
