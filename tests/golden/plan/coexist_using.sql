ALTER TABLE shop ALTER COLUMN kind TYPE text COLLATE "C" USING upper(kind);
-- schemagate: using up="round(size * 100)" down="size / 100.0"
ALTER TABLE shop ALTER COLUMN size TYPE bigint;
-- schemagate: allow mentioned-column reason="the function goes with the old release"
ALTER TABLE shop RENAME note TO remark;
