-- Version 3 of the schema: how each step is run, and how far it has come.

ALTER TABLE schemagate.step
    ADD COLUMN kind text NOT NULL DEFAULT 'statement',
    ADD COLUMN locks jsonb,      -- [{"relation": "public.users", "mode": "ACCESS EXCLUSIVE"}]
    ADD COLUMN object text,      -- the index, or the runner
    ADD COLUMN batch jsonb,      -- {"relation", "alias", "head", "tail"}: where it can run in batches
    ADD COLUMN source int NOT NULL DEFAULT 0,
    ADD COLUMN generated bool NOT NULL DEFAULT false,
    ADD COLUMN note text,        -- why it stands where it does
    ADD COLUMN progress jsonb;   -- what a batched step goes on from

INSERT INTO schemagate.schema_version (version) VALUES (3);
