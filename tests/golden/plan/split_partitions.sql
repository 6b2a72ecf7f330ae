-- Partitions of several levels: each index is attached to that of its own parent; a branch has no rows.
CREATE INDEX ON visit (what);
ALTER TABLE visit ADD CONSTRAINT known FOREIGN KEY (shop) REFERENCES known (id);
ALTER TABLE visit ADD CONSTRAINT early CHECK (shop > 0);
