-- Writes migrations and what belongs to them; the rules are those of write_registry.sql.

-- `replaced`: a corrected plan voids the steps, the approvals and the waivers of the one before.
CREATE OR REPLACE FUNCTION schemagate.write_migrations(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.migration := jsonb_populate_record(NULL::schemagate.migration, jsonb_build_object(
        'name', '', 'approval', 'auto', 'soak_seconds', 0, 'keep_hours', 0, 'sections', '[]'::jsonb,
        'submitted_at', now(), 'submitted_by', '', 'phase', 'queued', 'phase_since', now(),
        'failed', false, 'paused', false, 'soak_elapsed_ms', 0, 'last_event', 0));
    replaced bigint[] := ARRAY(
        SELECT (change->>'version')::bigint FROM jsonb_array_elements(changes) AS change
        WHERE change->>'replaced' = 'true');
BEGIN
    IF cardinality(replaced) > 0 THEN
        DELETE FROM schemagate.step WHERE version = ANY (replaced);
        DELETE FROM schemagate.approval WHERE version = ANY (replaced);
        DELETE FROM schemagate.waiver WHERE version = ANY (replaced);
    END IF;
    INSERT INTO schemagate.migration
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(coalesce(
        (SELECT old FROM schemagate.migration AS old
         WHERE old.version = (change->>'version')::bigint), fresh), change) AS new
    ON CONFLICT (version) DO UPDATE SET
        name = excluded.name, checksum = excluded.checksum, plan_checksum = excluded.plan_checksum,
        sql = excluded.sql, approval = excluded.approval, soak_seconds = excluded.soak_seconds,
        keep_hours = excluded.keep_hours, requires = excluded.requires, labels = excluded.labels,
        sections = excluded.sections, submitted_at = excluded.submitted_at,
        submitted_by = excluded.submitted_by, phase = excluded.phase, origin = excluded.origin,
        phase_since = excluded.phase_since, failed = excluded.failed, error = excluded.error,
        paused = excluded.paused, paused_by = excluded.paused_by,
        paused_reason = excluded.paused_reason, paused_since = excluded.paused_since,
        soak_elapsed_ms = excluded.soak_elapsed_ms;
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_steps(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.step := jsonb_populate_record(NULL::schemagate.step, jsonb_build_object(
        'state', 'pending', 'attempts', 0, 'seconds', 0));
BEGIN
    INSERT INTO schemagate.step
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(coalesce(
        (SELECT old FROM schemagate.step AS old
         WHERE old.version = (change->>'version')::bigint AND old.section = change->>'section'
           AND old.number = (change->>'number')::int), fresh), change) AS new
    ON CONFLICT (version, section, number) DO UPDATE SET
        transaction = excluded.transaction, transactional = excluded.transactional,
        line = excluded.line, "column" = excluded."column", sql = excluded.sql,
        state = excluded.state, attempts = excluded.attempts, started_at = excluded.started_at,
        seconds = excluded.seconds;
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_approvals(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.approval := jsonb_populate_record(NULL::schemagate.approval,
        jsonb_build_object('reason', '', 'approved_at', now()));
BEGIN
    INSERT INTO schemagate.approval
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(fresh, change) AS new
    ON CONFLICT (version, plan_checksum, system_identifier, timeline) DO UPDATE SET
        actor = excluded.actor, reason = excluded.reason, approved_at = excluded.approved_at;
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_waivers(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    fresh schemagate.waiver := jsonb_populate_record(NULL::schemagate.waiver,
        jsonb_build_object('subject', '', 'elapsed_ms', 0, 'given_at', now()));
BEGIN
    INSERT INTO schemagate.waiver
    SELECT new.*
    FROM jsonb_array_elements(changes) AS change
    CROSS JOIN LATERAL jsonb_populate_record(fresh, change) AS new
    ON CONFLICT (version, code, subject) DO UPDATE SET
        for_seconds = excluded.for_seconds, reason = excluded.reason, actor = excluded.actor,
        given_at = excluded.given_at, elapsed_ms = excluded.elapsed_ms;
END $$;

-- Returns the ids, in the order of the array; a migration remembers its newest event.
CREATE OR REPLACE FUNCTION schemagate.write_events(changes jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    ids jsonb;
BEGIN
    WITH written AS (
        INSERT INTO schemagate.event (at, kind, version, app, instance, actor, reason, data)
        SELECT coalesce(at, clock_timestamp()), kind, version, app, instance,
               coalesce(actor, 'schemagate'), reason, data
        FROM ROWS FROM (jsonb_to_recordset(changes) AS (
            at timestamptz, kind text, version bigint, app text, instance text, actor text,
            reason text, data jsonb)) WITH ORDINALITY
        ORDER BY ordinality
        RETURNING id, version
    ), remembered AS (
        UPDATE schemagate.migration SET last_event = newest.id
        FROM (SELECT version, max(id) AS id FROM written WHERE version IS NOT NULL
              GROUP BY version) AS newest
        WHERE migration.version = newest.version
    )
    SELECT jsonb_agg(id ORDER BY id) INTO ids FROM written;
    RETURN ids;
END $$;
