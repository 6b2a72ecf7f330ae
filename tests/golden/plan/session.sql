-- schemagate: expand
CREATE TABLE books (id int);
ALTER TABLE books ADD COLUMN pages int NOT NULL;
SET search_path = archive;
ALTER TABLE books ADD COLUMN pages int NOT NULL;
SELECT set_config('work_mem', '64MB', false);
SET CONSTRAINTS ALL IMMEDIATE;
RESET search_path;
