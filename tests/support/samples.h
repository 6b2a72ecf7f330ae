/* Migrations that several tests submit, and a short way to name a replica. */
#ifndef SUPPORT_SAMPLES_H
#define SUPPORT_SAMPLES_H

/* 1 creates a table, 2 replaces its column `name` by `full_name`, 3 drops `note`. */
#define SAMPLE_CREATE                                                                              \
    "-- schemagate: expand\n"                                                                      \
    "CREATE TABLE customer (id int PRIMARY KEY, name text, note text);\n"

#define SAMPLE_RENAME                                                                              \
    "-- schemagate: expand\n"                                                                      \
    "ALTER TABLE customer ADD COLUMN full_name text;\n"                                            \
    "-- schemagate: backfill\n"                                                                    \
    "UPDATE customer SET full_name = name WHERE full_name IS NULL;\n"                              \
    "-- schemagate: contract\n"                                                                    \
    "ALTER TABLE customer DROP COLUMN name;\n"                                                     \
    "-- schemagate: undo\n"                                                                        \
    "ALTER TABLE customer DROP COLUMN full_name;\n"

#define SAMPLE_DROP_NOTE                                                                           \
    "-- schemagate: contract\n"                                                                    \
    "ALTER TABLE customer DROP COLUMN note;\n"

/* A replica of the app `web`, in its first incarnation. */
#define REPLICA(instance_, min_, max_)                                                             \
    (&(struct fleet_replica){.app = "web", .instance = (instance_), .incarnation = "one",          \
                             .min = (min_), .max = (max_)})

/* True where the table `customer` has this column. */
#define SAMPLE_HAS_COLUMN                                                                          \
    "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('public.customer') "           \
    "AND attname = '%s' AND NOT attisdropped"

#endif
