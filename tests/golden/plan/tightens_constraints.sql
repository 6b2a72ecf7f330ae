-- schemagate: expand
ALTER TABLE books ADD CONSTRAINT price_positive CHECK (price > 0);
ALTER TABLE books ADD CONSTRAINT author FOREIGN KEY (author_id) REFERENCES authors NOT VALID;
ALTER TABLE books ADD UNIQUE (isbn);
ALTER TABLE books ADD PRIMARY KEY (id);
ALTER TABLE books ADD EXCLUDE USING gist (period WITH &&);
CREATE UNIQUE INDEX CONCURRENTLY books_isbn ON books (isbn);
