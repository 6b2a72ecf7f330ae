/* The table locks that a statement takes: those of the operations that it is made of (classify*.c), and of
 * what the catalog says goes with them; the tests hold them against pg_locks. Partitions, the table of an
 * index, and the other ends of foreign keys that were not there yet, are added where the relations are looked
 * up (db/sql/watch.sql). */
#include "effort.h"
#include "emit.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- what only the catalog knows ---- */

static const struct catalog_column *column_of(const struct catalog_table *known,
                                              const struct operation *operation)
{
    return operation->column == NULL ? NULL : catalog_column(known, operation->column);
}

static bool has_number(const struct catalog_constraint *constraint, int number)
{
    for (size_t i = 0; i < constraint->column_count; i++)
        if (constraint->columns[i] == number)
            return true;
    return false;
}

typedef bool concerns(const struct catalog_table *known, const struct operation *operation,
                      const struct catalog_constraint *constraint);

/* Those of others that refer to it go with CASCADE only. */
static bool any_key(const struct catalog_table *known, const struct operation *operation,
                    const struct catalog_constraint *constraint)
{
    (void)known;
    return !constraint->incoming || operation->cascade;
}

static bool own_name(const struct catalog_table *known, const struct operation *operation,
                     const struct catalog_constraint *constraint)
{
    (void)known;
    if (constraint->incoming)
        return operation->cascade;
    return operation->object != NULL && strcmp(constraint->name, operation->object) == 0;
}

static bool own_column(const struct catalog_table *known, const struct operation *operation,
                       const struct catalog_constraint *constraint)
{
    const struct catalog_column *column = column_of(known, operation);

    return column != NULL && has_number(constraint, column->number)
           && (!constraint->incoming || operation->cascade || operation->kind == OP_COLUMN_TYPE);
}

/* Keys of a partition's own are made of those that it shares with the others (DetachPartitionFinalize), and
 * those that refer to all of them let it go. */
static bool shared_key(const struct catalog_table *known, const struct operation *operation,
                       const struct catalog_constraint *constraint)
{
    (void)known, (void)operation, (void)constraint;
    return true;
}

/* Whose other ends are locked as well: foreign keys that end, or are made anew for another type. */
static const struct {
    enum operation_kind kind;
    concerns *concerns;
    bool looks;   /* for them again when the statement runs */
    bool by_name; /* but not if the catalog has what is named */
    enum plan_lock referred, referring; /* of tables that it refers to, or that refer to it; NONE: as it */
} key_rows[] = {
    {OP_DROP_TABLE, any_key, true, false, LOCK_NONE, LOCK_NONE},
    {OP_TRUNCATE, any_key, false, false, LOCK_NONE, LOCK_NONE},
    {OP_DROP_CONSTRAINT, own_name, true, true, LOCK_NONE, LOCK_NONE},
    {OP_DROP_COLUMN, own_column, true, true, LOCK_NONE, LOCK_NONE},
    {OP_COLUMN_TYPE, own_column, true, true, LOCK_NONE, LOCK_NONE},
    {OP_DETACH_PARTITION, shared_key, false, false, LOCK_SHARE_ROW_EXCLUSIVE, LOCK_ACCESS_EXCLUSIVE},
};

static enum plan_lock mode_of(size_t row, const struct operation *operation,
                              const struct catalog_constraint *constraint)
{
    enum plan_lock mode = constraint->incoming ? key_rows[row].referring : key_rows[row].referred;

    return mode == LOCK_NONE ? operation->lock : mode;
}

static bool is_known(const struct catalog_table *known, const struct operation *operation)
{
    if (known == NULL || operation->column != NULL)
        return known != NULL && column_of(known, operation) != NULL;
    for (size_t i = 0; i < known->constraint_count; i++)
        if (operation->object != NULL && strcmp(known->constraints[i].name, operation->object) == 0)
            return true;
    return false;
}

/* Each end is named where the catalog knows it; what comes with the same file is looked up when the
 * statement runs. */
static void lock_other_ends(struct plan_work *work, const struct catalog_table *known,
                            const struct operation *operation)
{
    for (size_t row = 0; row < sizeof(key_rows) / sizeof(key_rows[0]); row++) {
        if (key_rows[row].kind != operation->kind)
            continue;
        for (size_t i = 0; known != NULL && i < known->constraint_count; i++)
            if (known->constraints[i].foreign_table != NULL
                && key_rows[row].concerns(known, operation, &known->constraints[i]))
                plan_work_lock(work, known->constraints[i].foreign_table,
                               mode_of(row, operation, &known->constraints[i]));
        if (key_rows[row].looks && (!key_rows[row].by_name || !is_known(known, operation)))
            for (size_t at = 0; at < work->lock_count; at++)
                work->locks[at].parents = true;
    }
}

/* A key of a partitioned table takes over those of the partitions: their triggers on the other table go. */
static enum plan_lock other_lock(const struct catalog_table *known, const struct operation *operation)
{
    bool takes_over = operation->kind == OP_ADD_FOREIGN_KEY && known != NULL && known->partition_count > 0;

    return takes_over ? LOCK_ACCESS_EXCLUSIVE : operation->other_lock;
}

/* What hangs on it, and goes with it. */
static void lock_dependents(struct plan_work *work, const struct catalog_table *known,
                            const struct operation *operation)
{
    static const char *const kinds[] = {"view", "materialized view"};

    for (size_t i = 0; operation->cascade && known != NULL && i < known->dependent_count; i++)
        for (size_t at = 0; at < sizeof(kinds) / sizeof(kinds[0]); at++)
            if (strcmp(known->dependents[i].kind, kinds[at]) == 0)
                plan_work_lock(work, known->dependents[i].name, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_others(struct plan_work *work, const struct catalog *catalog,
                        const struct operation *operation)
{
    const struct catalog_table *known =
        operation->table == NULL ? NULL : catalog_find(catalog, operation->schema, operation->table);

    lock_other_ends(work, known, operation);
    lock_dependents(work, known, operation);
    lock_table(work, operation->other_schema, operation->other_table, other_lock(known, operation));
}

/* Whatever the rest of the file makes of its names: to lock a table that is not there yet costs nothing. */
void statement_locks(const struct catalog *catalog, const PgQuery__Node *node, struct plan_work *work)
{
    struct reader alone = {.plan = NULL};
    struct statement statement = {.reader = &alone, .node = node};
    struct operations operations;

    operations_read(&statement, &operations);
    for (size_t i = 0; i < operations.count; i++)
        lock_table(work, operations.items[i].schema, operations.items[i].table,
                   weigh(operations.items[i].lock));
    for (size_t i = 0; i < operations.count; i++)
        lock_others(work, catalog, &operations.items[i]);
    effort_forget(work);
    for (size_t i = 0; i < operations.count; i++)
        effort_note(work, catalog, &operations.items[i]);
    operations_free(&operations);
    created_clear(&alone.created[PLAN_EXPAND]);
}
