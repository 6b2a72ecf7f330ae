-- schemagate: expand
SELECT 'é
', U&"d\0061", E'\'';
