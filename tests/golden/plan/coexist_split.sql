-- schemagate: split up="first_name = split_part(full_name, ' ', 1), last_name = substr(full_name, strpos(full_name || ' ', ' ') + 1)" down="full_name = concat_ws(' ', first_name, last_name)"
ALTER TABLE person ADD COLUMN first_name varchar(80) DEFAULT '' NOT NULL;
ALTER TABLE person ADD COLUMN "last_name" text COLLATE "C" NULL;
CREATE INDEX person_last_name ON person (last_name);
ALTER TABLE person DROP COLUMN full_name;
