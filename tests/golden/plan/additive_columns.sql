-- schemagate: expand
CREATE TABLE authors (id bigint PRIMARY KEY, name text NOT NULL);
ALTER TABLE books
    ADD COLUMN pages int,
    ADD COLUMN state text NOT NULL DEFAULT 'draft',
    ADD COLUMN added timestamptz DEFAULT now(), -- the same for all rows that are there
    ADD COLUMN author_id bigint REFERENCES authors;
COMMENT ON COLUMN books.pages IS 'without the cover';
