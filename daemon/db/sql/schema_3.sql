-- Version 3 of the schema: how each step is run, and how far it has come; what the witness has seen of roles; what
-- contracts have hidden.

ALTER TABLE schemagate.step
    ADD COLUMN kind text NOT NULL DEFAULT 'statement',
    ADD COLUMN locks jsonb,      -- [{"relation": "public.users", "mode": "ACCESS EXCLUSIVE"}]
    ADD COLUMN object text,      -- the index, or the runner
    ADD COLUMN shape text,       -- how the index is built: unique btree (name, *)
    ADD COLUMN batch jsonb,      -- as struct plan_batch has it: where it can run in batches
    ADD COLUMN source int NOT NULL DEFAULT 0,
    ADD COLUMN generated bool NOT NULL DEFAULT false,
    ADD COLUMN note text,        -- why it stands where it does
    ADD COLUMN drops jsonb,      -- of a contract: [{"schema": null, "table": "users", "column": "name"}]
    ADD COLUMN only_drops bool NOT NULL DEFAULT false,
    ADD COLUMN progress jsonb;   -- what a batched step goes on from, or one outside of transactions (functions/online.sql)

-- Roles with which sessions of replicas were seen: a session of one that belongs to no replica is a stray.
CREATE TABLE schemagate.application_role (
    role text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- What was seen of a replica's sessions until it was lost.
ALTER TABLE schemagate.replica
    ADD COLUMN roles jsonb,                       -- ["app"]
    ADD COLUMN pins bool NOT NULL DEFAULT false;  -- all that were seen last had pins

-- What a contract has hidden instead of dropping it (functions/hide.sql), until it is purged; and what there is to tell
-- of a restore.
CREATE TABLE schemagate.hidden (
    version bigint NOT NULL REFERENCES schemagate.migration,
    relation text NOT NULL,             -- as the migration writes it
    "column" text NOT NULL DEFAULT '',  -- '': the relation as a whole
    number int NOT NULL,                -- in the order of hiding, within its version
    way text NOT NULL,                  -- rename, revoke; absent: IF EXISTS, and it did not
    object regclass,                    -- follows the relation, wherever it is
    hidden_as text,                     -- the column's name now, or the relation's
    put_back jsonb NOT NULL DEFAULT '{}', -- not_null, schema, and what was revoked
    restored bool NOT NULL DEFAULT false,
    note text,                          -- what a restore could not put back
    hidden_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, relation, "column")
);

-- They are counted with each change of the window (functions/markers.sql).
CREATE INDEX migration_undone ON schemagate.migration (version) WHERE phase = 'undone';

-- How far each [notify NAME] has been told: the last event that it took.
CREATE TABLE schemagate.delivery (
    target text PRIMARY KEY,
    event bigint NOT NULL
);

INSERT INTO schemagate.schema_version (version) VALUES (3);
