/* ADD COLUMN and ADD CONSTRAINT. What a constraint says about columns that are new in the same file refuses
 * no row of old code, which leaves them NULL; it may still be checked under a lock. */
#include "classify.h"
#include "column.h"
#include "tree.h"

#include <string.h>

#define CONSTRAINT(TYPE) PG_QUERY__CONSTR_TYPE__CONSTR_##TYPE

/* A constraint while it is read. */
struct adding {
    struct classify *classify;
    const PgQuery__Constraint *constraint;
    const PgQuery__ColumnDef *column; /* in whose definition it stands, or NULL */
};

/* A column that old code leaves NULL. */
static bool stays_null(const struct adding *adding, const struct operation *operation, const char *name)
{
    if (adding->column != NULL)
        return column_fill(adding->column) == COLUMN_EMPTY;
    return created_has(adding->classify->created, CREATED_COLUMN, operation->schema, operation->table, name);
}

/* True if one of the columns stays NULL: a key with a NULL in it is never compared. */
static bool key_stays_null(const struct adding *adding, const struct operation *operation,
                           PgQuery__Node *const *keys, size_t count)
{
    if (adding->column != NULL)
        return column_fill(adding->column) == COLUMN_EMPTY;
    for (size_t i = 0; i < count; i++)
        if (node_string(keys[i]) != NULL && stays_null(adding, operation, node_string(keys[i])))
            return true;
    return false;
}

const char *classify_not_null_column(const PgQuery__Node *check)
{
    const PgQuery__NullTest *test;

    if (check == NULL || check->node_case != PG_QUERY__NODE__NODE_NULL_TEST)
        return NULL;
    test = check->null_test;
    if (test->nulltesttype != PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL
        || test->arg->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || test->arg->column_ref->n_fields != 1)
        return NULL;
    return node_string(test->arg->column_ref->fields[0]);
}

struct mentioned {
    const struct adding *adding;
    const struct operation *operation;
    bool all_null;
};

static bool look_at_column(void *context, const ProtobufCMessage *message)
{
    struct mentioned *mentioned = context;

    if (message->descriptor == &pg_query__column_ref__descriptor) {
        const PgQuery__ColumnRef *reference = (const PgQuery__ColumnRef *)message;
        const char *name = reference->n_fields == 1 ? node_string(reference->fields[0]) : NULL;

        if (name == NULL || !stays_null(mentioned->adding, mentioned->operation, name))
            mentioned->all_null = false;
    }
    return true;
}

/* Operators that give NULL when they are given one. */
static const PgQuery__AExprKind strict_operators[] = {
    PG_QUERY__A__EXPR__KIND__AEXPR_OP,      PG_QUERY__A__EXPR__KIND__AEXPR_IN,
    PG_QUERY__A__EXPR__KIND__AEXPR_LIKE,    PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE,
    PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR, PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN,
    PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN,
};

static const ProtobufCMessageDescriptor *const strict_parts[] = {
    &pg_query__bool_expr__descriptor, &pg_query__column_ref__descriptor, &pg_query__a__const__descriptor,
    &pg_query__type_cast__descriptor, &pg_query__type_name__descriptor,  &pg_query__string__descriptor,
    &pg_query__integer__descriptor,   &pg_query__list__descriptor,       &pg_query__float__descriptor,
    &pg_query__boolean__descriptor,
};

static bool is_strict(const ProtobufCMessage *message)
{
    if (message->descriptor == &pg_query__a__expr__descriptor) {
        for (size_t i = 0; i < sizeof(strict_operators) / sizeof(strict_operators[0]); i++)
            if (((const PgQuery__AExpr *)message)->kind == strict_operators[i])
                return true;
        return false;
    }
    for (size_t i = 0; i < sizeof(strict_parts) / sizeof(strict_parts[0]); i++)
        if (message->descriptor == strict_parts[i])
            return true;
    return false;
}

/* A CHECK of nothing but NULLs passes, unless something in it makes more of a NULL. */
static bool look_for_more(void *context, const ProtobufCMessage *message)
{
    bool *more = context;

    *more = *more || !is_strict(message);
    return !*more;
}

static bool check_passes(const struct adding *adding, const struct operation *operation)
{
    const ProtobufCMessage *check = &adding->constraint->raw_expr->base;
    struct mentioned mentioned = {adding, operation, true};
    bool more = false;

    tree_walk(check, &(struct tree_visitor){.message = look_at_column, .context = &mentioned});
    tree_walk(check, &(struct tree_visitor){.message = look_for_more, .context = &more});
    return mentioned.all_null && !more;
}

static void loosen(struct operation *operation)
{
    operation->class = operation->scans ? CLASS_UNSAFE : CLASS_ADDITIVE;
}

/* It proves nothing to a NOT NULL that is NOT VALID: SET NOT NULL reads every row then (ATExecSetNotNull). */
void classify_prove_not_null(struct classify *classify, const struct operation *operation, const char *column)
{
    const struct catalog_column *known =
        operation->known == NULL ? NULL : catalog_column(operation->known, column);

    if (known == NULL || known->unproved == NULL)
        created_add(classify->created, CREATED_PROOF, operation->schema, operation->table, column, NULL);
}

static void refine_check(struct adding *adding, struct operation *operation)
{
    struct created *created = adding->classify->created;
    const char *column = classify_not_null_column(adding->constraint->raw_expr);

    operation->scans = !operation->not_valid;
    if (column != NULL && operation->not_valid && operation->object != NULL)
        created_add(created, CREATED_NOT_NULL, operation->schema, operation->table, operation->object,
                    column);
    else if (column != NULL && !operation->not_valid)
        classify_prove_not_null(adding->classify, operation, column);
    if (adding->constraint->raw_expr != NULL && check_passes(adding, operation))
        loosen(operation);
}

/* ADD COLUMN … REFERENCES without a default looks through nothing (transformAlterTableStmt). */
static void refine_foreign_key(struct adding *adding, struct operation *operation)
{
    const PgQuery__Constraint *constraint = adding->constraint;
    bool stays = key_stays_null(adding, operation, constraint->fk_attrs, constraint->n_fk_attrs);

    operation->scans = !operation->not_valid && !(adding->column != NULL && stays);
    classify_set_other(adding->classify, operation, constraint->pktable, LOCK_SHARE_ROW_EXCLUSIVE);
    if (stays)
        loosen(operation);
}

static void refine_unique(struct adding *adding, struct operation *operation)
{
    const PgQuery__Constraint *constraint = adding->constraint;
    bool each = adding->column != NULL && column_fill(adding->column) == COLUMN_EACH;

    operation->scans = true;
    if (classify_text(constraint->indexname) != NULL) {
        operation->kind = OP_ADD_USING_INDEX;
        operation->scans = false;
        operation->class = CLASS_ADDITIVE;
    } else if (each
               || (!constraint->nulls_not_distinct
                   && key_stays_null(adding, operation, constraint->keys, constraint->n_keys))) {
        loosen(operation);
    }
}

static const struct catalog_index *known_index(const struct operation *operation, const char *name)
{
    for (size_t i = 0; operation->known != NULL && i < operation->known->index_count; i++)
        if (strcmp(operation->known->indexes[i].name, name) == 0)
            return &operation->known->indexes[i];
    return NULL;
}

/* What is not NOT NULL yet becomes it, after a look at every row. */
static bool index_is_not_null(const struct operation *operation, const char *name)
{
    const struct catalog_index *index = known_index(operation, name);

    if (index == NULL)
        return false;
    for (size_t i = 0; i < index->column_count; i++) {
        bool not_null = false;

        for (size_t at = 0; at < operation->known->column_count; at++)
            if (operation->known->columns[at].number == index->columns[i])
                not_null =
                    operation->known->columns[at].not_null && operation->known->columns[at].unproved == NULL;
        if (!not_null)
            return false;
    }
    return true;
}

static void refine_primary_key(struct adding *adding, struct operation *operation)
{
    const char *index = classify_text(adding->constraint->indexname);

    operation->scans = true;
    if (index != NULL) {
        operation->kind = OP_ADD_USING_INDEX;
        operation->scans = !index_is_not_null(operation, index);
        operation->class = operation->scans ? CLASS_TIGHTENS : CLASS_ADDITIVE;
    } else if (adding->column != NULL && column_fill(adding->column) == COLUMN_EACH) {
        loosen(operation);
    }
}

static void refine_exclude(struct adding *adding, struct operation *operation)
{
    (void)adding;
    operation->scans = true;
}

static const struct {
    PgQuery__ConstrType type;
    enum operation_kind kind;
    void (*refine)(struct adding *adding, struct operation *operation);
} constraints[] = {
    {CONSTRAINT(CHECK), OP_ADD_CHECK, refine_check},
    {CONSTRAINT(FOREIGN), OP_ADD_FOREIGN_KEY, refine_foreign_key},
    {CONSTRAINT(UNIQUE), OP_ADD_UNIQUE, refine_unique},
    {CONSTRAINT(PRIMARY), OP_ADD_PRIMARY_KEY, refine_primary_key},
    {CONSTRAINT(EXCLUSION), OP_ADD_EXCLUDE, refine_exclude},
};

void classify_add_constraint(struct classify *classify, const PgQuery__RangeVar *relation,
                             const PgQuery__Constraint *constraint, const PgQuery__AlterTableCmd *command,
                             const PgQuery__ColumnDef *column)
{
    struct adding adding = {classify, constraint, column};

    for (size_t i = 0; i < sizeof(constraints) / sizeof(constraints[0]); i++) {
        struct operation *operation;

        if (constraints[i].type != constraint->contype)
            continue;
        operation = classify_add_on(classify, constraints[i].kind, relation);
        operation->command = command;
        operation->constraint = constraint;
        operation->object = classify_text(constraint->conname);
        operation->column = column == NULL ? NULL : column->colname;
        operation->not_valid = constraint->skip_validation;
        constraints[i].refine(&adding, operation);
        if (operation->object != NULL)
            created_add(classify->created, CREATED_MEMBER, operation->schema, operation->table,
                        operation->object, NULL);
    }
}

/* A type with rules of its own is written into every row. */
static bool is_new_domain(const struct classify *classify, const PgQuery__ColumnDef *column)
{
    const char *schema, *name;

    if (column->type_name == NULL)
        return false;
    classify_name_list(column->type_name->names, column->type_name->n_names, &schema, &name);
    return created_has(classify->created, CREATED_DOMAIN, schema, name, NULL);
}

static void refine_add_column(const struct classify *classify, struct operation *operation,
                              const PgQuery__ColumnDef *column)
{
    enum column_fill fill = column_fill(column);

    operation->rewrites = fill == COLUMN_EACH || fill == COLUMN_GENERATED || is_new_domain(classify, column);
    if (fill == COLUMN_EMPTY && column_is_not_null(column))
        operation->class = CLASS_TIGHTENS;
    else if (operation->rewrites)
        operation->class = CLASS_UNSAFE;
}

/* IF NOT EXISTS leaves an old column as it is: only the catalog can tell. */
static void remember_column(struct classify *classify, const struct operation *operation,
                            const PgQuery__ColumnDef *column, bool may_exist)
{
    bool plain = column_fill(column) == COLUMN_EMPTY && !column_is_not_null(column);

    if (may_exist
        && (operation->known == NULL || catalog_column(operation->known, operation->column) != NULL))
        return;
    created_add(classify->created, plain ? CREATED_COLUMN : CREATED_FILLED, operation->schema,
                operation->table, operation->column, NULL);
}

void classify_add_column(struct classify *classify, const PgQuery__AlterTableStmt *alter,
                         const PgQuery__AlterTableCmd *command, size_t start, size_t end)
{
    const PgQuery__ColumnDef *column = command->def->column_def;
    struct operations *operations = classify->operations;
    size_t first = operations->count;
    struct operation *operation = classify_add_on(classify, OP_ADD_COLUMN, alter->relation);

    operation->command = command;
    operation->column = column->colname;
    operation->if_exists = command->missing_ok;
    refine_add_column(classify, operation, column);
    remember_column(classify, operation, column, command->missing_ok);
    for (size_t i = 0; i < column->n_constraints; i++)
        if (column->constraints[i]->node_case == PG_QUERY__NODE__NODE_CONSTRAINT)
            classify_add_constraint(classify, alter->relation, column->constraints[i]->constraint, command,
                                    column);
    for (size_t i = first; i < operations->count; i++) {
        operations->items[i].start = start;
        operations->items[i].end = end;
    }
}
