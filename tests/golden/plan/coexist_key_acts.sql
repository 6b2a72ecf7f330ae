ALTER TABLE player ALTER COLUMN team_id TYPE bigint;
ALTER TABLE team ALTER COLUMN id TYPE bigint;
ALTER TABLE player ALTER COLUMN captain_id TYPE bigint;
ALTER TABLE player ALTER COLUMN id TYPE bigint;
