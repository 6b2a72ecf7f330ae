-- schemagate: expand
CREATE TABLE a (x int);
CREAT TABLE b (y int);
