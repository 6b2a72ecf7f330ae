/* The table locks that a statement takes: those of the operations that it is made of (classify*.c); the tests
 * hold them against pg_locks. What only the catalog knows (partitions, the table of an index, the other end
 * of a foreign key) is added where the relations are looked up (db/sql/watch.sql). */
#include "emit.h"
#include "operation.h"

#include <stdlib.h>

char *name_of_list(PgQuery__Node *const *names, size_t count)
{
    const char *name = count > 0 ? node_string(names[count - 1]) : NULL;
    return name == NULL ? NULL : emit_qualified(count > 1 ? node_string(names[count - 2]) : NULL, name);
}

static void lock_table(struct plan_work *work, const char *schema, const char *table, enum plan_lock mode)
{
    char *name;

    if (table == NULL || mode == LOCK_NONE)
        return;
    name = emit_qualified(schema, table);
    plan_work_lock(work, name, mode);
    free(name);
}

/* Readers are in nobody's way. */
static enum plan_lock weigh(enum plan_lock mode)
{
    return mode < LOCK_ROW_EXCLUSIVE ? LOCK_NONE : mode;
}

/* The other tables of foreign keys that are dropped are locked as well. */
static bool drops_foreign_keys(const struct operation *operation)
{
    return operation->kind == OP_DROP_TABLE || operation->kind == OP_DROP_CONSTRAINT;
}

/* Whatever the rest of the file makes of its names: to lock a table that is not there yet costs nothing. */
void statement_locks(const PgQuery__Node *node, struct plan_work *work)
{
    struct reader alone = {.plan = NULL};
    struct statement statement = {.reader = &alone, .node = node};
    struct operations operations;

    operations_read(&statement, &operations);
    for (size_t i = 0; i < operations.count; i++) {
        const struct operation *operation = &operations.items[i];

        lock_table(work, operation->schema, operation->table, weigh(operation->lock));
        for (size_t at = 0; drops_foreign_keys(operation) && at < work->lock_count; at++)
            work->locks[at].parents = true;
    }
    for (size_t i = 0; i < operations.count; i++)
        lock_table(work, operations.items[i].other_schema, operations.items[i].other_table,
                   operations.items[i].other_lock);
    operations_free(&operations);
    created_clear(&alone.created[PLAN_EXPAND]);
}
