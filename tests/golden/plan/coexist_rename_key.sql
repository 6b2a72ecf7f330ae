ALTER TABLE book RENAME writer TO author;
