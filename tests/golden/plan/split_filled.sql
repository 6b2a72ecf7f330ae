ALTER TABLE books ADD COLUMN pages int;
CREATE TABLE report AS SELECT author_id, count(*) FROM books GROUP BY 1;
CREATE INDEX report_author ON report (author_id);
SELECT count(*) FROM report;
ALTER TABLE books VALIDATE CONSTRAINT books_positive;
ALTER TABLE books ADD COLUMN year int;
