-- The markers of schema_2.sql. A pin takes its locks first and reads the markers then; a gate sets the markers first and
-- looks at the locks then: one of both sees the other, whatever their snapshots show.
--
-- setval is not undone by a rollback. So a transaction that changes the window moves the markers only towards refusal
-- before it commits (close_markers), and only afterwards, by what is committed, back towards admission
-- (settle_markers). At every moment, also after a rollback, a crash, or a failover to a standby, the markers refuse all that
-- the committed window refuses. Both run behind the window row's lock.

-- The window row and the markers beside it, 0 for none.
CREATE OR REPLACE VIEW schemagate.marked AS
    SELECT w.floor, w.ceiling, coalesce(w.contracting, 0) AS contracting, coalesce(w.undoing, 0) AS undoing,
           (SELECT count(*) FROM schemagate.migration WHERE phase = 'undone') AS undone,
           floor.last_value AS marked_floor, ceiling.last_value AS marked_ceiling,
           contracting.last_value AS marked_contracting, undoing.last_value AS marked_undoing,
           undone.last_value AS marked_undone
    FROM schemagate.window AS w, schemagate.marker_floor AS floor, schemagate.marker_ceiling AS ceiling,
         schemagate.marker_contracting AS contracting, schemagate.marker_undoing AS undoing,
         schemagate.marker_undone AS undone;

-- In the transaction that has written the window.
CREATE OR REPLACE FUNCTION schemagate.close_markers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m schemagate.marked;
BEGIN
    SELECT * INTO m FROM schemagate.marked;
    IF m.marked_contracting < m.contracting THEN
        PERFORM setval('schemagate.marker_contracting', m.contracting);
    END IF;
    IF m.marked_floor < m.floor THEN
        PERFORM setval('schemagate.marker_floor', m.floor);
    END IF;
    IF m.undoing > 0 AND (m.marked_undoing = 0 OR m.marked_undoing > m.undoing) THEN
        PERFORM setval('schemagate.marker_undoing', m.undoing);
    END IF;
    IF m.marked_undone < m.undone THEN
        PERFORM setval('schemagate.marker_undone', m.undone);
    END IF;
    IF m.marked_ceiling > m.ceiling THEN
        PERFORM setval('schemagate.marker_ceiling', m.ceiling);
    END IF;
END $$;

-- In a transaction of its own, after each that changed the window, and when a term begins.
CREATE OR REPLACE FUNCTION schemagate.settle_markers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m schemagate.marked;
BEGIN
    SELECT * INTO m FROM schemagate.marked;
    IF m.marked_contracting = m.contracting AND m.marked_undoing = m.undoing AND m.marked_floor = m.floor
       AND m.marked_ceiling = m.ceiling AND m.marked_undone = m.undone THEN
        RETURN;
    END IF;
    -- What a crash loses of it stays closed until the next term begins: nobody has to wait for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM schemagate.window FOR NO KEY UPDATE;
    SELECT * INTO m FROM schemagate.marked;
    PERFORM setval('schemagate.marker_contracting', m.contracting),
            setval('schemagate.marker_undoing', m.undoing),
            setval('schemagate.marker_floor', m.floor),
            setval('schemagate.marker_ceiling', m.ceiling),
            setval('schemagate.marker_undone', m.undone);
END $$;
