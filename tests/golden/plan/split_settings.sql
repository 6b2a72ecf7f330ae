SET statement_timeout = 0;
SET lock_timeout = '5s';
SET search_path = app, public;
ALTER TABLE books ADD COLUMN pages int;
ALTER TABLE authors ADD COLUMN born date;
SET check_function_bodies = false;
CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE INDEX books_pages ON app.books (pages);
CREATE INDEX books_title ON books (title);
