/* schemagate's tables as JSON: what PostgreSQL does with a set of changes (struct store_ops),
 * without PostgreSQL. It follows daemon/db/sql/functions/commit.sql, write_registry.sql,
 * write_migrations.sql, load.sql and verify.sql; who may commit is the caller's to decide. */
#ifndef SUPPORT_ROWS_H
#define SUPPORT_ROWS_H

#include <schemagate/core/window.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rows_table {
    ROWS_MIGRATIONS,
    ROWS_STEPS,
    ROWS_APPROVALS,
    ROWS_APPS,
    ROWS_COMPATIBLE,
    ROWS_REPLICAS,
    ROWS_TABLES
};

struct rows {
    json_t *window;              /* the one row */
    json_t *tables[ROWS_TABLES]; /* objects: key columns joined by '/' → row */
    int64_t last_event;
};

void rows_open(struct rows *rows);
void rows_close(struct rows *rows);

struct rows_result {
    bool written; /* false: the generation had moved */
    int64_t generation;
    struct window window;
    int64_t *event_ids; /* owned by the caller, ascending */
    size_t event_count;
};

/* expected 0: any generation. */
void rows_commit(struct rows *rows, const json_t *changes, int64_t expected,
                 struct rows_result *result);

/* What the end of a batch writes: rows of steps, and no generation (backfill_end.sql). */
void rows_write_steps(struct rows *rows, json_t *steps);

/* All rows in the order of load.sql. */
void rows_load(const struct rows *rows,
               void (*row)(void *context, const char *table, const json_t *row), void *context);

/* The facts of verify.sql; a new reference. */
json_t *rows_verify(const struct rows *rows);

struct window rows_window(const struct rows *rows);
int64_t rows_number(const json_t *row, const char *column); /* 0 where null */
const char *rows_text(const json_t *row, const char *column); /* "" where null */

/* NULL: no such row. */
json_t *rows_replica(const struct rows *rows, const char *app, const char *instance,
                     const char *incarnation);
json_t *rows_migration(const struct rows *rows, int64_t version);

#endif
