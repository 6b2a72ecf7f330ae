ALTER TABLE books ADD COLUMN pages int;
ALTER TABLE books ADD COLUMN state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'old'));
ALTER TABLE books ADD COLUMN token uuid DEFAULT gen_random_uuid() NOT NULL UNIQUE;
ALTER TABLE books ADD COLUMN author_id bigint REFERENCES authors (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE books ADD COLUMN shop_id bigint DEFAULT 1 REFERENCES shops (id);
ALTER TABLE books DROP COLUMN isbn;
