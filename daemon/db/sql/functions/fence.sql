-- The fences of docs/design.md §5: a stale daemon fails with SQLSTATE SG001. In plpgsql, which keeps their plans:
-- they stand in every transaction.

-- Only a takeover writes the coordinator row. FOR SHARE makes a successor wait for the transaction in flight.
CREATE OR REPLACE FUNCTION schemagate.fence(term_epoch bigint, term_nonce text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM schemagate.coordinator WHERE epoch = term_epoch AND nonce = term_nonce FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another daemon has taken over: epoch % has ended', term_epoch
            USING ERRCODE = 'SG001';
    END IF;
END $$;

-- Whether this very session holds the migration lock. pg_locks is asked, because taking the lock once more
-- would also succeed where it was lost and nobody has taken it yet. A session's own locks are of its own database.
CREATE OR REPLACE FUNCTION schemagate.holds_lock(lock_key bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND mode = 'ExclusiveLock'
          AND (classid::bigint << 32) | objid::bigint = lock_key AND objsubid = 1);
END $$;

CREATE OR REPLACE FUNCTION schemagate.prove_lock(lock_key bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT schemagate.holds_lock(lock_key) THEN
        RAISE EXCEPTION 'this session does not hold the migration lock any more'
            USING ERRCODE = 'SG001';
    END IF;
END $$;

-- The same at the end of a migration's transaction, before it writes what has changed: only its own statements can have
-- released the lock since the beginning, and they have written none of what only we write. Whoever writes into a table,
-- or changes its shape, holds a lock on it until the transaction ends, and until here it has only read them. The rows of
-- schemagate.hidden are written by statements of the plan (hide.sql). They have failed, with SG002; trying them again
-- would not help. One look at the locks shows both; names come without a join that would be planned anew each time.
CREATE OR REPLACE FUNCTION schemagate.prove_lock_kept(lock_key bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept bool;
    written text;
BEGIN
    SELECT bool_or(locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' AND objsubid = 1
                   AND (classid::bigint << 32) | objid::bigint = lock_key),
           min(name) FILTER (WHERE starts_with(name, 'schemagate.')
                               AND name NOT IN ('schemagate.hidden', 'schemagate.hidden_pkey'))
    INTO kept, written
    FROM pg_locks
    CROSS JOIN LATERAL (SELECT CASE WHEN locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'RowShareLock')
                                    THEN relation::regclass::text END AS name) AS own
    WHERE pid = pg_backend_pid();
    IF kept IS NOT TRUE THEN
        RAISE EXCEPTION 'the statements released the migration lock'
            USING ERRCODE = 'SG002',
                  DETAIL = 'Nothing of them was kept.',
                  HINT = 'Take out what releases advisory locks.';
    END IF;
    IF written IS NOT NULL THEN
        RAISE EXCEPTION 'the statements wrote into schemagate''s own tables: %', written
            USING ERRCODE = 'SG002',
                  DETAIL = 'Nothing of them was kept.',
                  HINT = 'Take out what touches the schema "schemagate".';
    END IF;
END $$;

-- What submitted SQL may change unread, through a function or a text that is put together as it runs, and must leave as it
-- was. note_settings.sql has noted it before and behind that SQL; `left_out` is one that the SQL changes openly.
CREATE OR REPLACE FUNCTION schemagate.prove_settings_kept(left_out text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := nullif(current_setting('schemagate.settings_before', true), '');
    behind jsonb := nullif(current_setting('schemagate.settings_behind', true), '');
    changed text;
BEGIN
    SELECT min(key) INTO changed FROM jsonb_each_text(before) AS noted (key, value)
    WHERE behind->>key IS DISTINCT FROM value AND key <> left_out;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION 'the statements changed % from "%" to "%"', changed, before->>changed, behind->>changed
            USING ERRCODE = 'SG002',
                  DETAIL = 'Nothing of them was kept.',
                  HINT = 'Let the function that sets it have it by its own SET clause (CREATE FUNCTION … SET), or put '
                         'it back before it returns.';
    END IF;
END $$;
