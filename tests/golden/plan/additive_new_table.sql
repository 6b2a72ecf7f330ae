-- schemagate: expand
CREATE SCHEMA shop
    CREATE TABLE carts (id serial PRIMARY KEY, customer bigint REFERENCES public.customers (id))
    CREATE VIEW open_carts AS SELECT id FROM carts;
CREATE TABLE shop.items (id int, cart int);
CREATE INDEX ON shop.items (cart);
ALTER TABLE shop.items ADD PRIMARY KEY (id), ALTER COLUMN cart SET NOT NULL, ADD COLUMN code uuid DEFAULT gen_random_uuid();
ALTER TABLE shop.items RENAME TO lines;
ALTER TABLE shop.lines DROP COLUMN cart;
GRANT SELECT ON shop.lines TO reader;
INSERT INTO shop.lines (id) VALUES (1);
