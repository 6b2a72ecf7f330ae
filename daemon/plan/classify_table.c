/* Tables, indexes, views, schemas, and what hangs on tables. */
#include "classify.h"

#include <string.h>

#define CONSTRAINT(TYPE) PG_QUERY__CONSTR_TYPE__CONSTR_##TYPE

/* A foreign key of a new table locks the table that it refers to: that one may be in use. */
static void read_foreign_key(struct classify *classify, const PgQuery__RangeVar *table,
                             const PgQuery__Constraint *constraint)
{
    struct operation *operation;

    if (constraint->contype != CONSTRAINT(FOREIGN) || classify_is_new(classify, constraint->pktable))
        return;
    operation = classify_add_on(classify, OP_ADD_FOREIGN_KEY, table);
    operation->on_new = true;
    operation->lock = LOCK_NONE;
    operation->object = classify_text(constraint->conname);
    operation->constraint = constraint;
    classify_set_other(classify, operation, constraint->pktable, LOCK_SHARE_ROW_EXCLUSIVE);
}

static void read_elements(struct classify *classify, const PgQuery__RangeVar *table,
                          PgQuery__Node *const *elements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (elements[i]->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF)
            read_elements(classify, table, elements[i]->column_def->constraints,
                          elements[i]->column_def->n_constraints);
        else if (elements[i]->node_case == PG_QUERY__NODE__NODE_CONSTRAINT)
            read_foreign_key(classify, table, elements[i]->constraint);
    }
}

static void read_create(struct classify *classify, const PgQuery__CreateStmt *create,
                        enum operation_kind kind)
{
    struct operation *operation = classify_add_on(classify, kind, create->relation);
    bool known = operation->known != NULL;

    operation->if_exists = create->if_not_exists;
    for (size_t i = 0; i < create->n_inh_relations; i++)
        if (create->inh_relations[i]->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
            classify_set_other(classify, operation, create->inh_relations[i]->range_var,
                               create->partbound != NULL ? LOCK_ACCESS_EXCLUSIVE
                                                         : LOCK_SHARE_UPDATE_EXCLUSIVE);
    if (known && create->if_not_exists)
        return; /* nothing happens */
    operation->on_new = true;
    classify_remember(classify, operation, CREATED_RELATION, create->if_not_exists);
    read_elements(classify, create->relation, create->table_elts, create->n_table_elts);
    read_elements(classify, create->relation, create->constraints, create->n_constraints);
}

void classify_create_table(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    read_create(classify, node->create_stmt, kind);
}

void classify_create_foreign_table(struct classify *classify, const PgQuery__Node *node,
                                   enum operation_kind kind)
{
    read_create(classify, node->create_foreign_table_stmt->base_stmt, kind);
}

void classify_create_table_as(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateTableAsStmt *create = node->create_table_as_stmt;
    bool view = create->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW;
    struct operation *operation = classify_add_on(classify, view ? OP_CREATE_VIEW : kind, create->into->rel);

    operation->on_new = true;
    operation->if_exists = create->if_not_exists;
    classify_remember(classify, operation, CREATED_RELATION, create->if_not_exists);
    classify_query(classify, create->query);
}

/* An index in which some column is new and left NULL by old code refuses none of its rows. */
static bool refuses_rows(const struct classify *classify, const struct operation *operation,
                         const PgQuery__IndexStmt *create)
{
    if (!create->unique)
        return false;
    for (size_t i = 0; i < create->n_index_params && !create->nulls_not_distinct; i++)
        if (created_has(classify->created, CREATED_COLUMN, operation->schema, operation->table,
                        create->index_params[i]->index_elem->name))
            return false;
    return true;
}

void classify_create_index(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__IndexStmt *create = node->index_stmt;
    struct operation *operation = classify_add_on(classify, kind, create->relation);

    operation->object = classify_text(create->idxname);
    operation->concurrently = create->concurrent;
    operation->if_exists = create->if_not_exists;
    operation->scans = true;
    if (create->concurrent) {
        operation->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
        operation->class = CLASS_ADDITIVE;
    }
    if (refuses_rows(classify, operation, create))
        operation->class = CLASS_TIGHTENS;
    if (operation->object != NULL && !create->if_not_exists)
        created_add(classify->created, operation->on_new ? CREATED_RELATION : CREATED_INDEX,
                    operation->schema, operation->object, NULL, NULL);
}

void classify_create_view(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__ViewStmt *create = node->view_stmt;
    struct operation *operation = classify_add_on(classify, kind, create->view);
    bool was_new = operation->on_new;

    if (was_new || classify_remember(classify, operation, CREATED_RELATION, create->replace)) {
        operation->on_new = true;
        operation->lock = LOCK_NONE;
    } else {
        operation->kind = OP_REPLACE_VIEW;
        operation->lock = LOCK_ACCESS_EXCLUSIVE;
    }
}

void classify_create_schema(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateSchemaStmt *create = node->create_schema_stmt;
    struct operation *operation = classify_add(classify, kind);
    const char *outer = classify->schema;
    const char *name = classify_text(create->schemaname);

    if (name == NULL && create->authrole != NULL)
        name = classify_text(create->authrole->rolename);
    operation->table = name;
    operation->if_exists = create->if_not_exists;
    if (!create->if_not_exists)
        created_add(classify->created, CREATED_SCHEMA, NULL, name, NULL, NULL);
    classify->schema = name;
    for (size_t i = 0; i < create->n_schema_elts; i++)
        classify_node(classify, create->schema_elts[i]);
    classify->schema = outer;
}

void classify_create_sequence(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateSeqStmt *create = node->create_seq_stmt;
    struct operation *operation = classify_add_on(classify, kind, create->sequence);

    operation->if_exists = create->if_not_exists;
    operation->on_new = true;
    classify_remember(classify, operation, CREATED_RELATION, create->if_not_exists);
}

/* Options that take nothing from those who draw from the sequence. */
static bool is_harmless_option(const PgQuery__DefElem *option)
{
    static const char *const names[] = {"owned_by", "cache", "start", "sequence_name"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], option->defname) == 0)
            return true;
    if (strcmp(option->defname, "as") == 0 && option->arg != NULL
        && option->arg->node_case == PG_QUERY__NODE__NODE_TYPE_NAME) {
        const PgQuery__TypeName *type = option->arg->type_name;

        return strcmp(node_string(type->names[type->n_names - 1]), "int8") == 0;
    }
    /* NO MAXVALUE and NO MINVALUE */
    return option->arg == NULL
           && (strcmp(option->defname, "maxvalue") == 0 || strcmp(option->defname, "minvalue") == 0);
}

void classify_alter_sequence(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__AlterSeqStmt *alter = node->alter_seq_stmt;
    struct operation *operation = classify_add_on(classify, kind, alter->sequence);
    bool harmless = true;

    for (size_t i = 0; i < alter->n_options; i++)
        harmless = harmless && is_harmless_option(alter->options[i]->def_elem);
    operation->if_exists = alter->missing_ok;
    if (harmless)
        operation->class = CLASS_ADDITIVE;
}

/* A trigger of one's own that old writes set off cannot be read; one that checks at the end refuses. */
void classify_create_trigger(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreateTrigStmt *create = node->create_trig_stmt;
    struct operation *operation = classify_add_on(classify, kind, create->relation);

    operation->object = create->trigname;
    if (create->isconstraint)
        operation->class = CLASS_TIGHTENS;
    classify_set_other(classify, operation, create->constrrel, LOCK_SHARE_ROW_EXCLUSIVE);
    if (!create->replace)
        created_add(classify->created, CREATED_MEMBER, operation->schema, operation->table, operation->object,
                    NULL);
}

void classify_create_rule(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    struct operation *operation = classify_add_on(classify, kind, node->rule_stmt->relation);

    operation->object = node->rule_stmt->rulename;
}

void classify_create_policy(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__CreatePolicyStmt *create = node->create_policy_stmt;
    struct operation *operation = classify_add_on(classify, kind, create->table);

    operation->object = create->policy_name;
    if (!create->permissive)
        operation->class = CLASS_TIGHTENS;
    created_add(classify->created, CREATED_MEMBER, operation->schema, operation->table, operation->object,
                NULL);
}

void classify_alter_policy(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    struct operation *operation = classify_add_on(classify, kind, node->alter_policy_stmt->table);

    operation->object = node->alter_policy_stmt->policy_name;
    operation->class = CLASS_TIGHTENS;
}

void classify_create_statistics(struct classify *classify, const PgQuery__Node *node,
                                enum operation_kind kind)
{
    const PgQuery__CreateStatsStmt *create = node->create_stats_stmt;

    for (size_t i = 0; i < create->n_relations; i++) {
        const PgQuery__Node *relation = create->relations[i];

        if (relation->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
            classify_add_on(classify, kind, relation->range_var)->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
    }
}

void classify_truncate(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__TruncateStmt *truncate = node->truncate_stmt;

    for (size_t i = 0; i < truncate->n_relations; i++)
        classify_add_on(classify, kind, truncate->relations[i]->range_var)->cascade =
            truncate->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
}

/* PostgreSQL numbers its locks from 1, from the weakest to the strongest, as enum plan_lock does. */
void classify_lock(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__LockStmt *lock = node->lock_stmt;

    for (size_t i = 0; i < lock->n_relations; i++) {
        struct operation *operation = classify_add_on(classify, kind, lock->relations[i]->range_var);

        operation->lock = (enum plan_lock)lock->mode;
        if (operation->lock <= LOCK_SHARE_UPDATE_EXCLUSIVE)
            operation->class = CLASS_ADDITIVE;
    }
}

void classify_vacuum(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__VacuumStmt *vacuum = node->vacuum_stmt;
    bool full = vacuum->is_vacuumcmd && node_option_is_on(vacuum->options, vacuum->n_options, "full", false);

    if (full)
        kind = OP_CLUSTER;
    if (vacuum->n_rels == 0)
        classify_add(classify, kind)->rewrites = full;
    for (size_t i = 0; i < vacuum->n_rels; i++)
        classify_add_on(classify, kind, vacuum->rels[i]->vacuum_relation->relation)->rewrites = full;
}

void classify_cluster(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    struct operation *operation = classify_add_on(classify, kind, node->cluster_stmt->relation);

    operation->object = classify_text(node->cluster_stmt->indexname);
    operation->rewrites = true;
}

/* The table is locked against writers only, but its readers lock its indexes as well, and these are rebuilt
 * under ACCESS EXCLUSIVE. */
void classify_reindex(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__ReindexStmt *reindex = node->reindex_stmt;
    struct operation *operation = classify_add_on(classify, kind, reindex->relation);

    operation->scans = true;
    operation->object = classify_text(reindex->name);
    if (reindex->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX && operation->table != NULL)
        operation->object = operation->table; /* the table is the index's */
    if (node_option_is_on(reindex->params, reindex->n_params, "concurrently", false)) {
        operation->concurrently = true;
        operation->lock = LOCK_SHARE_UPDATE_EXCLUSIVE;
        operation->class = CLASS_ADDITIVE;
    }
}

void classify_refresh(struct classify *classify, const PgQuery__Node *node, enum operation_kind kind)
{
    const PgQuery__RefreshMatViewStmt *refresh = node->refresh_mat_view_stmt;
    struct operation *operation = classify_add_on(classify, kind, refresh->relation);

    operation->rewrites = !refresh->concurrent;
    operation->concurrently = refresh->concurrent;
    if (refresh->concurrent) {
        operation->lock = LOCK_EXCLUSIVE;
        operation->class = CLASS_ADDITIVE;
    }
}
