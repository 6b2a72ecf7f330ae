ALTER TABLE orders
    ADD CONSTRAINT positive CHECK (total > 0),
    ADD FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (shop_id) REFERENCES shops (id),
    ADD UNIQUE (number) INCLUDE (total) WITH (fillfactor = 80) DEFERRABLE,
    ALTER COLUMN total SET NOT NULL,
    ALTER COLUMN note DROP NOT NULL;
ALTER TABLE lines ADD PRIMARY KEY (order_id, line);
