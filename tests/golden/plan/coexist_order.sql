ALTER TABLE shop ALTER COLUMN size TYPE numeric(12,4) USING size;
CREATE INDEX shop_size ON shop (size);
ALTER TABLE shop RENAME code TO label;
CREATE INDEX shop_label ON shop (label);
