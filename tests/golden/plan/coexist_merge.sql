-- schemagate: merge up="address = concat_ws(', ', street, zip || ' ' || city)" down="street = split_part(address, ', ', 1), zip = split_part(split_part(address, ', ', 2), ' ', 1), city = split_part(split_part(address, ', ', 2), ' ', 2)"
ALTER TABLE contact DROP COLUMN street, DROP COLUMN zip, DROP COLUMN city, ADD COLUMN address text NOT NULL;
