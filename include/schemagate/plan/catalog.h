/* What the target database says about the tables that a migration names. The planner asks for it by name
 * (struct plan, needs), whoever holds a connection reads it (db/sql/catalog.sql), and the plan is made again
 * with it. Without it the planner takes the careful way, or says that it cannot know.
 *
 * Plain structs: everything is owned by the struct catalog, texts are never NULL unless it is said, names
 * are not quoted, expressions are as pg_get_expr and its siblings print them. */
#ifndef SCHEMAGATE_PLAN_CATALOG_H
#define SCHEMAGATE_PLAN_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog_column {
    char *name, *type;  /* type: format_type, "character varying(20)" */
    char *collation;    /* quoted; "" the type's own */
    char *default_text; /* NULL: none; of a generated column its expression */
    char *identity;     /* "", "always", "by default" */
    char *comment;      /* NULL: none */
    char *options;      /* storage, compression, statistics target, attoptions as clauses of ALTER TABLE, each
                           with %s for the column: "ALTER COLUMN %s SET STATISTICS 500, ALTER …"; "" none */
    bool not_null, generated;
    char *unproved; /* the constraint whose NOT NULL rows from before it may break: NOT VALID, from
                       PostgreSQL 18 on; NULL: not_null holds for all rows */
    bool partition_key; /* the rows are spread over partitions by it, alone or among others */
    bool default_volatile; /* the default calls a volatile function */
    int number; /* attnum */
    char *sequence;         /* that goes with it, as of an identity: quoted and qualified; NULL: none */
    char *sequence_options; /* "INCREMENT BY 1 …": what is not its type's own */
    char **sequence_grants; /* GRANT statements with the first %s for the sequence; but the owner's */
    size_t sequence_grant_count;
    char **grants; /* column privileges as GRANT statements with the first %s for the column */
    size_t grant_count;
};

struct catalog_index {
    char *name, *definition; /* pg_get_indexdef */
    char *comment;           /* NULL: none */
    int *columns;            /* attnums; 0: an expression */
    size_t column_count;
    bool unique, primary, valid, constraint; /* constraint: it belongs to one */
    bool replica_identity; /* the rows of the log are told by it */
    bool uses_expressions; /* or a predicate: `definition` may name further columns */
};

struct catalog_constraint {
    char *name, *definition; /* pg_get_constraintdef */
    char *kind;              /* "check", "foreign key", "unique", "primary key", "exclude" */
    char *foreign_table;     /* quoted and qualified, or NULL */
    char *comment;           /* NULL: none */
    int *columns;
    size_t column_count;
    bool valid, deferrable;
    bool incoming;           /* a foreign key of another table that refers to this one (`foreign_table`) */
    bool partitioned;        /* incoming: the other table is partitioned, or a partition */
};

/* Something that hangs on the table or on one of its columns. */
struct catalog_dependent {
    char *kind;  /* "view", "materialized view", "function", "trigger", "policy", "rule", "generated column",
                    "publication", "extension" (it owns the table), "statistics", "column" (of a type) */
    char *name;  /* quoted and qualified as needed */
    char *definition; /* as its pg_get_…def prints it, or "": of a view only once */
    char *settings;   /* of a view "security_barrier=true, …", of a trigger "DISABLE" or the like; or "" */
    char *comment;    /* of a trigger; NULL: none */
    int column;  /* attnum; 0: the table as a whole */
    bool blocks; /* DROP without CASCADE would be refused because of it */
};

/* Names quoted and qualified. */
struct catalog_partition {
    char *name, *parent;
    bool branch; /* partitioned itself: it has no rows of its own */
};

struct catalog_table {
    char *schema, *name;
    bool on_path; /* search_path finds it under its name alone */
    char *kind;   /* "table", "partitioned table", "view", "materialized view", "foreign table", "sequence",
                     "index" (name is then an index; `of_table` says of which), "type" */
    char *of_table; /* quoted and qualified; NULL but for indexes and partitions (their parent) */
    char *owner;
    int64_t rows, bytes; /* pg_class.reltuples (-1: never counted) and the total size, partitions included */
    struct catalog_column *columns;
    size_t column_count;
    struct catalog_index *indexes;
    size_t index_count;
    struct catalog_constraint *constraints;
    size_t constraint_count;
    struct catalog_dependent *dependents;
    size_t dependent_count;
    struct catalog_partition *partitions; /* of all levels: parents first, then the largest */
    size_t partition_count;
    char *partition_by; /* pg_get_partkeydef: "RANGE (day)"; NULL: it is not partitioned */
    bool default_partition;
    char **grants; /* table privileges as GRANT statements with the first %s for the table; but the owner's */
    size_t grant_count;
    char *comment; /* NULL: none */
    bool published; /* by a publication, FOR ALL TABLES included */
    bool row_security;
};

struct catalog {
    int server_version; /* 150008, as PQserverVersion */
    struct catalog_table *tables; /* those that were asked for and are there */
    size_t table_count;
    char **missing; /* those that were asked for and are not, as they were asked for */
    size_t missing_count;
    bool event_triggers; /* some DDL event trigger is enabled */
};

/* The table of that name; schema NULL: the one that search_path found. NULL: not asked for, or not there. */
const struct catalog_table *catalog_find(const struct catalog *catalog, const char *schema, const char *name);
/* The column of that name, or NULL. */
const struct catalog_column *catalog_column(const struct catalog_table *table, const char *name);

void catalog_free(struct catalog *catalog);

#endif
