-- Writes rows of the registry. Each array element names its key columns and the columns to set; a column that
-- is absent keeps its value, or takes its default where the row is new. Called by schemagate.commit only, which
-- holds the window row: nobody writes beside it.

CREATE OR REPLACE FUNCTION schemagate.write_replicas(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.replica := jsonb_populate_record(NULL::schemagate.replica, jsonb_build_object(
        'release', '', 'application_name', '', 'on_lost', 'keep', 'superseded', false, 'witnessed', false,
        'address', '', 'pins', false,
        'registered_at', now(), 'state_since', now()));
BEGIN
    INSERT INTO schemagate.replica
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(coalesce(
        (SELECT old FROM schemagate.replica AS old
         WHERE old.app = change->>'app' AND old.instance = change->>'instance'
           AND old.incarnation = change->>'incarnation'), fresh), change) AS new
    ON CONFLICT (app, instance, incarnation) DO UPDATE SET
        state = excluded.state, min = excluded.min, max = excluded.max,
        lease_seconds = excluded.lease_seconds, release = excluded.release,
        application_name = excluded.application_name, on_lost = excluded.on_lost,
        knows = excluded.knows, superseded = excluded.superseded,
        registered_at = excluded.registered_at, state_since = excluded.state_since,
        gone_reason = excluded.gone_reason, witnessed = excluded.witnessed,
        address = excluded.address, roles = excluded.roles, pins = excluded.pins;
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_roles(changes jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO schemagate.application_role (role)
    SELECT change->>'role' FROM jsonb_array_elements(changes) AS change
    ON CONFLICT (role) DO NOTHING;
$$;

CREATE OR REPLACE FUNCTION schemagate.write_apps(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.app := jsonb_populate_record(NULL::schemagate.app, jsonb_build_object(
        'retired', false, 'created_at', now()));
BEGIN
    INSERT INTO schemagate.app
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(coalesce(
        (SELECT old FROM schemagate.app AS old
         WHERE old.app = change->>'app'), fresh), change) AS new
    ON CONFLICT (app) DO UPDATE SET
        min_replicas = excluded.min_replicas, desired_min = excluded.desired_min,
        desired_max = excluded.desired_max, desired_release = excluded.desired_release,
        retired = excluded.retired, created_at = excluded.created_at;
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_compatible(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.compatible := jsonb_populate_record(NULL::schemagate.compatible,
        jsonb_build_object('recorded_at', now()));
BEGIN
    INSERT INTO schemagate.compatible
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(coalesce(
        (SELECT old FROM schemagate.compatible AS old
         WHERE old.app = change->>'app' AND old.release = change->>'release'), fresh), change) AS new
    ON CONFLICT (app, release) DO UPDATE SET
        max = excluded.max, reason = excluded.reason, actor = excluded.actor,
        recorded_at = excluded.recorded_at;
END $$;
