-- The fences of DESIGN.md section 5: a stale daemon fails with SQLSTATE SG001. In plpgsql, which keeps their plans:
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
-- would also succeed where it was lost and nobody has taken it yet.
CREATE OR REPLACE FUNCTION schemagate.holds_lock(lock_key bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND mode = 'ExclusiveLock'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
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

-- The same at the end of a migration's transaction: only its own statements can have released the lock since the
-- beginning. They have failed, with SG002; trying them again would not help.
CREATE OR REPLACE FUNCTION schemagate.prove_lock_kept(lock_key bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT schemagate.holds_lock(lock_key) THEN
        RAISE EXCEPTION 'the statements released the migration lock'
            USING ERRCODE = 'SG002',
                  DETAIL = 'Nothing of them was kept.',
                  HINT = 'Take out what releases advisory locks.';
    END IF;
    PERFORM schemagate.prove_untouched();
END $$;

-- Whether a row that this transaction sees was written by it, or by a subtransaction of it: those have later numbers, and
-- are in progress.
CREATE OR REPLACE FUNCTION schemagate.is_written_here(row_xmin xid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own xid8 := pg_current_xact_id();
    later bigint := age(own::xid) - age(row_xmin);
BEGIN
    RETURN later >= 0 AND pg_xact_status((own::text::bigint + later)::text::xid8) = 'in progress';
END $$;

-- Before a migration's transaction writes what has changed: its own statements have written none of this. Of the rows only
-- those are asked about that are as young as the transaction.
CREATE OR REPLACE FUNCTION schemagate.prove_untouched() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_age int := age(pg_current_xact_id()::xid);
BEGIN
    IF EXISTS (SELECT FROM schemagate."window" WHERE age(xmin) <= own_age AND schemagate.is_written_here(xmin))
        OR EXISTS (SELECT FROM schemagate.coordinator
                   WHERE age(xmin) <= own_age AND schemagate.is_written_here(xmin))
        OR EXISTS (SELECT FROM schemagate.migration
                   WHERE age(xmin) <= own_age AND schemagate.is_written_here(xmin)) THEN
        RAISE EXCEPTION 'the statements wrote into schemagate''s own tables'
            USING ERRCODE = 'SG002',
                  DETAIL = 'Nothing of them was kept.',
                  HINT = 'Take out what touches the schema "schemagate".';
    END IF;
END $$;
