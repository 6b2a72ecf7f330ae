ALTER TABLE visit RENAME what TO purpose;
