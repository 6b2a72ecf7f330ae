ALTER TABLE ticket RENAME COLUMN seat TO place;
