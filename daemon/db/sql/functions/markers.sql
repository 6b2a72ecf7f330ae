-- The markers of schema_2.sql. A pin takes its locks first and reads the markers then; a gate sets the markers first and
-- looks at the locks then: one of both sees the other, whatever their snapshots show.
--
-- setval is not undone by a rollback. So a transaction that changes the window moves the markers only towards refusal
-- before it commits (close_markers), and only afterwards, by what is committed, back towards admission
-- (settle_markers). At every moment, also after a rollback, a crash, or a failover to a standby, the markers refuse all that
-- the committed window refuses. Both run behind the window row's lock.

-- In the transaction that has written the window.
CREATE OR REPLACE FUNCTION schemagate.close_markers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w schemagate.window;
    undone bigint;
BEGIN
    SELECT * INTO w FROM schemagate.window;
    SELECT count(*) INTO undone FROM schemagate.migration WHERE phase = 'undone';
    PERFORM setval('schemagate.marker_contracting', w.contracting)
    FROM schemagate.marker_contracting WHERE last_value < w.contracting;
    PERFORM setval('schemagate.marker_floor', w.floor)
    FROM schemagate.marker_floor WHERE last_value < w.floor;
    PERFORM setval('schemagate.marker_undoing', w.undoing)
    FROM schemagate.marker_undoing WHERE last_value = 0 AND w.undoing > 0 OR last_value > w.undoing;
    PERFORM setval('schemagate.marker_undone', undone)
    FROM schemagate.marker_undone WHERE last_value < undone;
    PERFORM setval('schemagate.marker_ceiling', w.ceiling)
    FROM schemagate.marker_ceiling WHERE last_value > w.ceiling;
END $$;

CREATE OR REPLACE FUNCTION schemagate.markers_are_settled() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT w.contracting IS NOT DISTINCT FROM nullif(contracting.last_value, 0)
               AND w.undoing IS NOT DISTINCT FROM nullif(undoing.last_value, 0)
               AND w.floor = floor.last_value AND w.ceiling = ceiling.last_value
               AND undone.last_value = (SELECT count(*) FROM schemagate.migration
                                        WHERE phase = 'undone')
        FROM schemagate.window AS w, schemagate.marker_contracting AS contracting,
             schemagate.marker_undoing AS undoing, schemagate.marker_floor AS floor,
             schemagate.marker_ceiling AS ceiling, schemagate.marker_undone AS undone);
END $$;

-- In a transaction of its own, after each that changed the window, and when a term begins.
CREATE OR REPLACE FUNCTION schemagate.settle_markers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w schemagate.window;
BEGIN
    IF schemagate.markers_are_settled() THEN
        RETURN;
    END IF;
    -- What a crash loses of it stays closed until the next term begins: nobody has to wait for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO w FROM schemagate.window FOR NO KEY UPDATE;
    PERFORM setval('schemagate.marker_contracting', coalesce(w.contracting, 0)),
            setval('schemagate.marker_undoing', coalesce(w.undoing, 0)),
            setval('schemagate.marker_floor', w.floor),
            setval('schemagate.marker_ceiling', w.ceiling),
            setval('schemagate.marker_undone', (SELECT count(*) FROM schemagate.migration
                                                WHERE phase = 'undone'));
END $$;
