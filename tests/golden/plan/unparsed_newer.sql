-- schemagate: expand
ALTER TABLE books ADD COLUMN total numeric GENERATED ALWAYS AS (price * 2) VIRTUAL;
