ALTER TABLE track RENAME COLUMN album TO part_of;
ALTER TABLE track ALTER COLUMN length TYPE bigint;
-- schemagate: using up="size * 100" down="size / 100"
ALTER TABLE track ALTER COLUMN size TYPE bigint;
ALTER TABLE track RENAME COLUMN id TO number;
