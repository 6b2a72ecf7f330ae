-- schemagate: undo
SELECT $$ /* 