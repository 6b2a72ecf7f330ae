ALTER TABLE serial_thing ALTER COLUMN id TYPE bigint;
