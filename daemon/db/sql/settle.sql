-- Right after a transaction that changed the window: the markers as the committed row has them.
SELECT schemagate.settle_markers();
