SELECT 1;
-- Schemagate: expand
-- schemagate: migration keep_hours=4 nam=x name=a name=b
-- schemagate: expand hide=rename atomic=maybe
\echo hi
SELEKT 1; -- schemagate: undo
-- schemagate: expand
-- schemagate: allow own-schema
COPY t FROM stdin;
1	2
\.
