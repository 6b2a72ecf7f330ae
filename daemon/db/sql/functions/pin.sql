-- Session pins (docs/design.md §5): once per connection, an application's connect hook says
--     SELECT schemagate.pin(41, 43);
-- and PostgreSQL's lock table tells from then on, until the connection ends, which versions its code can work with. A pin
-- is a pair of shared session-level advisory locks: 16 bits of tag (0x5348 carries max, 0x5349 min) and 48 bits of
-- version.

-- The keys of this session's pins.
CREATE OR REPLACE FUNCTION schemagate.own_pins() RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(
        SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND granted
          AND pid = pg_backend_pid()
          AND classid::bigint >> 16 IN (x'5348'::bigint, x'5349'::bigint));
END $$;

-- Why the range is not served now, or null where it is. The markers are read in the order opposite to that in which they
-- move: first those that are opened last.
CREATE OR REPLACE FUNCTION schemagate.refusal(min bigint, max bigint, OUT message text, OUT hint text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contracting bigint := (SELECT last_value FROM schemagate.marker_contracting);
    undoing bigint := (SELECT last_value FROM schemagate.marker_undoing);
    undone bigint := (SELECT last_value FROM schemagate.marker_undone);
    floor bigint := (SELECT last_value FROM schemagate.marker_floor);
    ceiling bigint := (SELECT last_value FROM schemagate.marker_ceiling);
    lowest bigint := greatest(floor, contracting);
    highest bigint := least(ceiling, CASE WHEN undoing > 0 THEN undoing - 1 ELSE ceiling END);
BEGIN
    -- Both ends of the window are served always.
    IF lowest <= highest AND (floor = lowest AND floor BETWEEN min AND max
                              OR ceiling = highest AND ceiling BETWEEN min AND max) THEN
        RETURN;
    END IF;

    -- What lies between may be undone. A snapshot that is older than an undo would not know: then it is not believed.
    IF EXISTS (SELECT FROM schemagate.migration
               WHERE version BETWEEN greatest(min, lowest) AND least(max, highest)
                 AND phase IN ('expanded', 'contracting', 'hidden', 'purging', 'restoring', 'complete'))
       AND undone <= (SELECT count(*) FROM schemagate.migration WHERE phase = 'undone') THEN
        RETURN;
    END IF;

    message := format('no schema version from %s to %s is served: the window is %s to %s%s', min, max,
                      floor, ceiling,
                      CASE WHEN contracting > 0 THEN format(', contract %s is under way', contracting)
                           WHEN undoing > 0 THEN format(', the undo of %s is under way', undoing)
                           ELSE '' END);
    hint := CASE WHEN max < lowest THEN
                     format('Deploy a release that works with version %s or a later one.', lowest)
                 WHEN min > highest THEN
                     format('Connect again when version %s is served: see `schemagate status`.', min)
                 ELSE 'Connect again; if that does not help, see `schemagate status`.' END;
END $$;

-- Pins this session to the range, in place of the pin that it may have. Where the range is not served it fails with SG003,
-- and leaves everything as it was.
CREATE OR REPLACE FUNCTION schemagate.pin(min bigint, max bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before bigint[] := schemagate.own_pins();
    max_key bigint := x'5348'::bigint << 48 | max;
    min_key bigint := x'5349'::bigint << 48 | min;
    refusal record;
BEGIN
    IF NOT coalesce(0 <= min AND min <= max AND max < 1::bigint << 48, false) THEN
        RAISE EXCEPTION 'pin(%, %): these are not two schema versions, lower one first', min, max
            USING ERRCODE = '22023';
    END IF;

    PERFORM pg_advisory_lock_shared(max_key), pg_advisory_lock_shared(min_key);
    refusal := schemagate.refusal(min, max);
    IF refusal.message IS NOT NULL THEN
        -- An error alone would leave the locks held.
        PERFORM pg_advisory_unlock_shared(max_key), pg_advisory_unlock_shared(min_key);
        RAISE EXCEPTION '%', refusal.message USING ERRCODE = 'SG003', HINT = refusal.hint;
    END IF;
    PERFORM pg_advisory_unlock_shared(key) FROM unnest(before) AS key;
    -- What the triggers that keep old and new columns in step go by, where values alone do not tell.
    PERFORM set_config('schemagate.version', max::text, false);
END $$;

-- Takes the pin away; a session that has none stays as it is.
CREATE OR REPLACE FUNCTION schemagate.unpin() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_unlock_shared(key) FROM unnest(schemagate.own_pins()) AS key;
    PERFORM set_config('schemagate.version', '', false);
END $$;
