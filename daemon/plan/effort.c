/* What the time depends on for which a statement runs, and holds its locks. No seconds: they are the
 * server's. */
#include "effort.h"

#include "allocate.h"
#include "emit.h"

#include <stdlib.h>
#include <string.h>

/* What scans, and builds an index on the way. */
static const enum operation_kind builders[] = {
    OP_CREATE_INDEX, OP_REINDEX, OP_ADD_UNIQUE, OP_ADD_PRIMARY_KEY, OP_ADD_EXCLUDE,
};

static const struct {
    enum operation_kind kind;
    enum plan_effort effort;
} by_kind[] = {
    {OP_UPDATE, EFFORT_ROWS},      {OP_DELETE, EFFORT_ROWS},
    {OP_MERGE, EFFORT_ROWS},       {OP_COPY, EFFORT_ROWS},
    {OP_VACUUM, EFFORT_SCAN},      {OP_CREATE_TABLE_AS, EFFORT_ROWS},
    {OP_SELECT, EFFORT_UNKNOWN},   {OP_OPAQUE, EFFORT_UNKNOWN},
    {OP_UNKNOWN, EFFORT_UNKNOWN},  {OP_SERVER, EFFORT_UNKNOWN},
    {OP_REFRESH_VIEW, EFFORT_ROWS}, /* what differs, CONCURRENTLY */
    {OP_CREATE_EXTENSION, EFFORT_UNKNOWN}, {OP_ALTER_EXTENSION, EFFORT_UNKNOWN},
};

static bool builds(const struct operation *operation)
{
    for (size_t i = 0; i < sizeof(builders) / sizeof(builders[0]); i++)
        if (builders[i] == operation->kind)
            return true;
    return false;
}

/* INSERT … SELECT, and a materialized view; rows that stand in the statement are few. */
static bool reads_rows(const struct operation *operation)
{
    const PgQuery__Node *node = operation->node;

    if (operation->kind == OP_CREATE_VIEW)
        return node->node_case == PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT;
    return operation->kind == OP_INSERT && node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT
           && node->insert_stmt->select_stmt != NULL
           && node->insert_stmt->select_stmt->select_stmt->n_values_lists == 0;
}

enum plan_effort operation_effort(const struct operation *operation)
{
    if (operation->rewrites)
        return EFFORT_REWRITE;
    if (reads_rows(operation))
        return EFFORT_ROWS;
    if (operation->scans)
        return builds(operation) ? EFFORT_INDEX : EFFORT_SCAN;
    for (size_t i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++)
        if (by_kind[i].kind == operation->kind)
            return by_kind[i].effort;
    return EFFORT_MOMENT;
}

void effort_forget(struct plan_work *work)
{
    free(work->cost.table);
    work->cost = (struct plan_cost){.rows = -1, .bytes = -1};
}

/* The rows of a partition are looked at, not those of the table that it comes to. */
void effort_note(struct plan_work *work, const struct catalog *catalog, const struct operation *operation)
{
    enum plan_effort effort = operation_effort(operation);
    bool other = operation->kind == OP_ATTACH_PARTITION;
    const char *schema = other ? operation->other_schema : operation->schema;
    const char *table = other ? operation->other_table : operation->table;
    const struct catalog_table *known = table == NULL ? NULL : catalog_find(catalog, schema, table);

    if (effort <= work->cost.effort)
        return;
    effort_forget(work);
    work->cost.effort = effort;
    if (table == NULL || effort == EFFORT_UNKNOWN || operation->kind == OP_TIGHTEN_DOMAIN)
        return; /* a domain's values are in many tables */
    work->cost.table = emit_qualified(schema, table);
    if (known != NULL && !operation->on_new) {
        work->cost.rows = known->rows;
        work->cost.bytes = known->bytes;
    }
}
