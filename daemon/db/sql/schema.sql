-- schemagate's own schema, version 1. Runs in one transaction, under the migration lock, as the role of the
-- daemon. Can be read and run with psql.

CREATE SCHEMA schemagate;

-- Which layout this is; upgrades add rows.
CREATE TABLE schemagate.schema_version (
    version int PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT now()
);

-- The term. Only a takeover writes this row; every fenced transaction reads it FOR SHARE.
CREATE TABLE schemagate.coordinator (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch bigint NOT NULL,
    nonce text NOT NULL,
    advertise_url text NOT NULL DEFAULT '',
    since timestamptz NOT NULL DEFAULT now()
);

-- What is served, and what is under way. Every registration and transition writes it first.
CREATE TABLE schemagate.window (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    generation bigint NOT NULL,
    floor bigint NOT NULL,
    ceiling bigint NOT NULL,
    contracting bigint,
    undoing bigint,
    baseline bigint NOT NULL DEFAULT 0,
    paused bool NOT NULL DEFAULT false,
    paused_by text,
    paused_reason text,
    paused_since timestamptz
);

CREATE TABLE schemagate.migration (
    version bigint PRIMARY KEY CHECK (version > 0 AND version < 281474976710656),
    name text NOT NULL DEFAULT '',
    checksum text NOT NULL,
    plan_checksum text NOT NULL,
    sql text NOT NULL,
    approval text NOT NULL DEFAULT 'auto',
    soak_seconds bigint NOT NULL DEFAULT 0,
    keep_hours bigint NOT NULL DEFAULT 0,
    requires bigint,
    labels jsonb,
    sections text[] NOT NULL DEFAULT '{}',       -- those that stand in the file, empty or not
    submitted_at timestamptz NOT NULL DEFAULT now(),
    submitted_by text NOT NULL DEFAULT '',
    phase text NOT NULL DEFAULT 'queued',
    origin text,                                  -- the phase before the undo
    phase_since timestamptz NOT NULL DEFAULT now(),
    failed bool NOT NULL DEFAULT false,
    error jsonb,
    paused bool NOT NULL DEFAULT false,
    paused_by text,
    paused_reason text,
    paused_since timestamptz,
    soak_elapsed_ms bigint NOT NULL DEFAULT 0
);

-- The statements of a migration as they are sent.
CREATE TABLE schemagate.step (
    version bigint NOT NULL REFERENCES schemagate.migration,
    section text NOT NULL,
    number int NOT NULL,
    transaction int NOT NULL,
    transactional bool NOT NULL,
    line int NOT NULL,
    "column" int NOT NULL,
    sql text NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    attempts int NOT NULL DEFAULT 0,
    started_at timestamptz,
    seconds double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (version, section, number)
);

-- One row an incarnation of an application instance.
CREATE TABLE schemagate.replica (
    app text NOT NULL,
    instance text NOT NULL,
    incarnation text NOT NULL,
    state text NOT NULL,
    min bigint NOT NULL,
    max bigint NOT NULL,
    lease_seconds int NOT NULL,
    release text NOT NULL DEFAULT '',
    application_name text NOT NULL DEFAULT '',
    on_lost text NOT NULL DEFAULT 'keep',
    knows jsonb,                                  -- {"42": "sha256:…"}
    superseded bool NOT NULL DEFAULT false,
    registered_at timestamptz NOT NULL DEFAULT now(),
    state_since timestamptz NOT NULL DEFAULT now(),
    gone_reason text,
    PRIMARY KEY (app, instance, incarnation)
);
CREATE INDEX replica_present ON schemagate.replica (app, max) WHERE state <> 'gone';
CREATE INDEX replica_gone ON schemagate.replica (state_since) WHERE state = 'gone';

CREATE TABLE schemagate.app (
    app text PRIMARY KEY,
    min_replicas bigint,                          -- null: the configuration counts
    desired_min bigint,
    desired_max bigint,
    desired_release text,
    retired bool NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- An operator's word that a release works up to a version after all.
CREATE TABLE schemagate.compatible (
    app text NOT NULL,
    release text NOT NULL,
    max bigint NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, release)
);

-- Bound to the plan, the cluster and its timeline: any other is another database.
CREATE TABLE schemagate.approval (
    version bigint NOT NULL REFERENCES schemagate.migration,
    plan_checksum text NOT NULL,
    system_identifier text NOT NULL,
    timeline text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    approved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, plan_checksum, system_identifier, timeline)
);

-- The audit trail: only ever added to. Ids are drawn behind the window row's lock, so that they rise in the
-- order of the commits.
CREATE TABLE schemagate.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    version bigint,
    app text,
    instance text,
    actor text NOT NULL DEFAULT 'schemagate',
    reason text,
    data jsonb
);
CREATE INDEX event_version ON schemagate.event (version, id) WHERE version IS NOT NULL;

INSERT INTO schemagate.coordinator (epoch, nonce) VALUES (0, '');
INSERT INTO schemagate.window (generation, floor, ceiling) VALUES (1, 0, 0);
INSERT INTO schemagate.schema_version (version) VALUES (1);
