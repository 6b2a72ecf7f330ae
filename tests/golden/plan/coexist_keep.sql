-- schemagate: migration keep_hours=24
ALTER TABLE book RENAME COLUMN writer TO author;
