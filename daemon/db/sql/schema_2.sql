-- Version 2 of the schema: markers for schemagate.pin(), waivers, and what the witness has seen. Runs after schema.sql, in
-- the same transaction where both are new.

-- What the window row says, where no snapshot can make it stale: the last_value of a sequence is the same under every
-- isolation level, in read-only transactions and on standbys. functions/markers.sql has the rules by which they move.
CREATE SEQUENCE schemagate.marker_floor MINVALUE 0 START 0;
CREATE SEQUENCE schemagate.marker_ceiling MINVALUE 0 START 0;
CREATE SEQUENCE schemagate.marker_contracting MINVALUE 0 START 0; -- 0: none
CREATE SEQUENCE schemagate.marker_undoing MINVALUE 0 START 0;     -- 0: none
CREATE SEQUENCE schemagate.marker_undone MINVALUE 0 START 0;      -- how many versions are undone

SELECT setval('schemagate.marker_floor', floor), setval('schemagate.marker_ceiling', ceiling),
       setval('schemagate.marker_contracting', coalesce(contracting, 0)),
       setval('schemagate.marker_undoing', coalesce(undoing, 0)),
       setval('schemagate.marker_undone', (SELECT count(*) FROM schemagate.migration
                                           WHERE phase = 'undone'))
FROM schemagate.window;

-- What an operator lets pass, for a time.
CREATE TABLE schemagate.waiver (
    version bigint NOT NULL REFERENCES schemagate.migration,
    code text NOT NULL,
    subject text NOT NULL DEFAULT '',             -- empty: all
    for_seconds bigint NOT NULL,                  -- counted from given_at
    elapsed_ms bigint NOT NULL DEFAULT 0,         -- of it, while a daemon led: whichever ends it first counts
    reason text NOT NULL,
    actor text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, code, subject)
);

-- Whether a database session of it was seen while it was live: only then can its absence mean something.
ALTER TABLE schemagate.replica ADD COLUMN witnessed bool NOT NULL DEFAULT false;

-- From which it registered; "" for unix sockets.
ALTER TABLE schemagate.replica ADD COLUMN address text NOT NULL DEFAULT '';

-- The cluster and timeline on which registrations have settled last: any other is a failover. The longest lease ever granted
-- is how long a replica that this server has never heard of may go on without renewing.
ALTER TABLE schemagate.window
    ADD COLUMN system_identifier text NOT NULL DEFAULT '',
    ADD COLUMN timeline text NOT NULL DEFAULT '',
    ADD COLUMN longest_lease_seconds bigint NOT NULL DEFAULT 0;

INSERT INTO schemagate.schema_version (version) VALUES (2);
