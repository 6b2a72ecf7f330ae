-- Writes migrations and what belongs to them; the rules are those of write_registry.sql.

-- One migration. Its row is new where it carries a checksum; else it has only what changes, and the text stays
-- untouched. `replaced`: a corrected plan voids the steps, the approvals and the waivers of the one before.
CREATE OR REPLACE FUNCTION schemagate.write_migration(change jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    this_version bigint := change->'version';
BEGIN
    IF NOT change ? 'checksum' THEN
        UPDATE schemagate.migration SET
            phase = coalesce(change->>'phase', phase),
            origin = CASE WHEN change ? 'origin' THEN change->>'origin' ELSE origin END,
            phase_since = coalesce((change->>'phase_since')::timestamptz, phase_since),
            failed = coalesce((change->>'failed')::bool, failed),
            error = CASE WHEN change ? 'error' THEN nullif(change->'error', 'null') ELSE error END,
            paused = coalesce((change->>'paused')::bool, paused),
            paused_by = CASE WHEN change ? 'paused' THEN change->>'paused_by' ELSE paused_by END,
            paused_reason = CASE WHEN change ? 'paused' THEN change->>'paused_reason'
                                 ELSE paused_reason END,
            paused_since = CASE WHEN change ? 'paused' THEN (change->>'paused_since')::timestamptz
                                ELSE paused_since END,
            soak_elapsed_ms = coalesce((change->>'soak_elapsed_ms')::bigint, soak_elapsed_ms)
        WHERE version = this_version;
        RETURN;
    END IF;
    IF change ? 'replaced' THEN
        DELETE FROM schemagate.step WHERE version = this_version;
        DELETE FROM schemagate.approval WHERE version = this_version;
        DELETE FROM schemagate.waiver WHERE version = this_version;
        DELETE FROM schemagate.migration WHERE version = this_version;
    END IF;
    INSERT INTO schemagate.migration
    SELECT * FROM jsonb_populate_record(NULL::schemagate.migration, jsonb_build_object(
        'name', '', 'approval', 'auto', 'soak_seconds', 0, 'keep_hours', 0, 'sections', '[]'::jsonb,
        'submitted_at', now(), 'submitted_by', '', 'phase', 'queued', 'phase_since', now(),
        'failed', false, 'paused', false, 'soak_elapsed_ms', 0) || change);
END $$;

CREATE OR REPLACE FUNCTION schemagate.write_migrations(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    place int;
BEGIN
    FOR place IN 0 .. jsonb_array_length(changes) - 1 LOOP
        PERFORM schemagate.write_migration(changes->place);
    END LOOP;
END $$;

-- New rows carry their SQL, others their progress: those one by one, by their key, whatever the planner knows of the
-- table. Of a step that is `timed` this transaction is the work: the time that it has taken so far is added.
CREATE OR REPLACE FUNCTION schemagate.write_steps(changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    change jsonb;
BEGIN
    IF changes->0 ? 'sql' THEN
        INSERT INTO schemagate.step (version, section, number, transaction, transactional, line,
                                     "column", sql, kind, locks, object, batch, source, generated, note,
                                     drops, only_drops, shape)
        SELECT version, section, number, transaction, transactional, line, "column", sql, kind, locks,
               object, batch, source, generated, note, drops, coalesce(only_drops, false), shape
        FROM jsonb_to_recordset(changes) AS (
            version bigint, section text, number int, transaction int, transactional bool, line int,
            "column" int, sql text, kind text, locks jsonb, object text, batch jsonb, source int,
            generated bool, note text, drops jsonb, only_drops bool, shape text);
        RETURN;
    END IF;
    FOR place IN 0 .. jsonb_array_length(changes) - 1 LOOP
        change := changes->place;
        UPDATE schemagate.step SET
            state = change->>'state', attempts = (change->'attempts')::int,
            started_at = (change->>'started_at')::timestamptz,
            seconds = (change->'seconds')::double precision
                      + CASE WHEN change ? 'timed' THEN extract(epoch FROM clock_timestamp() - now()) ELSE 0 END,
            progress = coalesce(nullif(change->'progress', 'null'), progress)
        WHERE version = (change->'version')::bigint AND section = change->>'section'
          AND number = (change->'number')::int;
    END LOOP;
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

-- Returns the ids, in the order of the array. Whoever listens on the channel `schemagate` hears of each transition, with
-- the commit.
CREATE OR REPLACE FUNCTION schemagate.write_events(changes jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    ids jsonb;
    told bigint;
BEGIN
    WITH written AS (
        INSERT INTO schemagate.event (at, kind, version, app, instance, actor, reason, data)
        SELECT coalesce(at, clock_timestamp()), kind, version, app, instance,
               coalesce(actor, 'schemagate'), reason, data
        FROM ROWS FROM (jsonb_to_recordset(changes) AS (
            at timestamptz, kind text, version bigint, app text, instance text, actor text,
            reason text, data jsonb)) WITH ORDINALITY
        ORDER BY ordinality
        RETURNING id, event.kind, event.version
    )
    SELECT jsonb_agg(id ORDER BY id),
           count(CASE WHEN kind LIKE 'migration.%' OR kind LIKE 'gate.%'
                 THEN pg_notify('schemagate', json_build_object('id', id, 'kind', kind,
                                                                'version', version)::text)::text END)
    INTO ids, told FROM written;
    RETURN ids;
END $$;
