/* The table locks that a statement takes, as far as its text alone tells: the modes are those of
 * PostgreSQL's AlterTableGetLockLevel and of the pages of its commands, and the tests hold them against
 * pg_locks. What only the catalog knows (partitions, the table of an index, the other end of a foreign key)
 * is added where the relations are looked up (db/sql/watch.sql). */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#define NODE(kind_) PG_QUERY__NODE__NODE_##kind_
#define COMMAND(subtype_) PG_QUERY__ALTER_TABLE_TYPE__AT_##subtype_

/* ---- names ---- */

static void lock_range(struct plan_work *work, const PgQuery__RangeVar *range, enum plan_lock mode)
{
    char *name;

    if (range == NULL || range->relname == NULL || range->relname[0] == '\0')
        return;
    name = emit_qualified(range->schemaname, range->relname);
    plan_work_lock(work, name, mode);
    free(name);
}

static void lock_ranges(struct plan_work *work, PgQuery__Node *const *nodes, size_t count,
                        enum plan_lock mode)
{
    for (size_t i = 0; i < count; i++)
        if (nodes[i]->node_case == NODE(RANGE_VAR))
            lock_range(work, nodes[i]->range_var, mode);
}

char *name_of_list(PgQuery__Node *const *names, size_t count)
{
    const char *name = count > 0 ? node_string(names[count - 1]) : NULL;
    return name == NULL ? NULL : emit_qualified(count > 1 ? node_string(names[count - 2]) : NULL, name);
}

/* Names as COMMENT and DROP have them: a list, of which the last `behind` are not the relation's. */
static void lock_name(struct plan_work *work, const PgQuery__Node *object, size_t behind,
                      enum plan_lock mode)
{
    char *name;

    if (object == NULL || object->node_case != NODE(LIST) || object->list->n_items <= behind)
        return;
    name = name_of_list(object->list->items, object->list->n_items - behind);
    if (name != NULL)
        plan_work_lock(work, name, mode);
    free(name);
}

/* The other tables of foreign keys that are dropped are locked as well. */
static void with_parents(struct plan_work *work)
{
    for (size_t i = 0; i < work->lock_count; i++)
        work->locks[i].parents = true;
}

/* ---- constraints ---- */

static void lock_referenced(struct plan_work *work, PgQuery__Node *const *constraints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (constraints[i]->node_case == NODE(CONSTRAINT))
            lock_range(work, constraints[i]->constraint->pktable, LOCK_SHARE_ROW_EXCLUSIVE);
}

static void lock_referenced_by_column(struct plan_work *work, const PgQuery__Node *node)
{
    if (node != NULL && node->node_case == NODE(COLUMN_DEF))
        lock_referenced(work, node->column_def->constraints, node->column_def->n_constraints);
}

/* ---- ALTER TABLE ---- */

static enum plan_lock mode_of_constraint(const PgQuery__AlterTableCmd *command)
{
    bool foreign = command->def != NULL && command->def->node_case == NODE(CONSTRAINT) &&
                   command->def->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN;
    return foreign ? LOCK_SHARE_ROW_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE;
}

/* Storage parameters that take effect without a rewrite or a new plan. */
static enum plan_lock mode_of_options(const PgQuery__AlterTableCmd *command)
{
    static const char *const light[] = {"fillfactor",  "autovacuum_",  "toast",  "parallel_workers",
                                        "vacuum_", "log_autovacuum_", "deduplicate_items"};

    if (command->def == NULL || command->def->node_case != NODE(LIST))
        return LOCK_ACCESS_EXCLUSIVE;
    for (size_t i = 0; i < command->def->list->n_items; i++) {
        const char *name = command->def->list->items[i]->def_elem->defname;
        size_t at = 0;

        while (at < sizeof(light) / sizeof(light[0]) && strncmp(name, light[at], strlen(light[at])) != 0)
            at++;
        if (at == sizeof(light) / sizeof(light[0]))
            return LOCK_ACCESS_EXCLUSIVE;
    }
    return LOCK_SHARE_UPDATE_EXCLUSIVE;
}

static enum plan_lock mode_of_detach(const PgQuery__AlterTableCmd *command)
{
    bool concurrent = command->def != NULL && command->def->partition_cmd->concurrent;
    return concurrent ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE;
}

/* Those that need less than ACCESS EXCLUSIVE. */
static const struct {
    PgQuery__AlterTableType subtype;
    enum plan_lock mode;
    enum plan_lock (*ask)(const PgQuery__AlterTableCmd *command); /* instead of mode */
} alter_modes[] = {
    {COMMAND(SetStatistics), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(SetOptions), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(ResetOptions), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(ValidateConstraint), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(ClusterOn), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(DropCluster), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(AttachPartition), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(DetachPartitionFinalize), LOCK_SHARE_UPDATE_EXCLUSIVE, NULL},
    {COMMAND(EnableTrig), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(EnableAlwaysTrig), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(EnableReplicaTrig), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(EnableTrigAll), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(EnableTrigUser), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(DisableTrig), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(DisableTrigAll), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(DisableTrigUser), LOCK_SHARE_ROW_EXCLUSIVE, NULL},
    {COMMAND(AddConstraint), LOCK_NONE, mode_of_constraint},
    {COMMAND(SetRelOptions), LOCK_NONE, mode_of_options},
    {COMMAND(ResetRelOptions), LOCK_NONE, mode_of_options},
    {COMMAND(DetachPartition), LOCK_NONE, mode_of_detach},
};

static enum plan_lock mode_of_command(const PgQuery__AlterTableCmd *command)
{
    for (size_t i = 0; i < sizeof(alter_modes) / sizeof(alter_modes[0]); i++)
        if (alter_modes[i].subtype == command->subtype)
            return alter_modes[i].ask != NULL ? alter_modes[i].ask(command) : alter_modes[i].mode;
    return LOCK_ACCESS_EXCLUSIVE;
}

static void lock_partner(struct plan_work *work, const PgQuery__AlterTableCmd *command)
{
    const PgQuery__Node *def = command->def;

    if (def == NULL)
        return;
    lock_referenced_by_column(work, def);
    if (def->node_case == NODE(CONSTRAINT))
        lock_referenced(work, &command->def, 1);
    if (def->node_case == NODE(PARTITION_CMD))
        lock_range(work, def->partition_cmd->name, LOCK_ACCESS_EXCLUSIVE);
    if (command->subtype == COMMAND(AddInherit))
        lock_ranges(work, &command->def, 1, LOCK_SHARE_UPDATE_EXCLUSIVE);
}

static void lock_alter_table(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;
    bool drops_constraint = false;

    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;

        lock_range(work, alter->relation, mode_of_command(command));
        drops_constraint = drops_constraint || command->subtype == COMMAND(DropConstraint);
    }
    if (drops_constraint)
        with_parents(work);
    for (size_t i = 0; i < alter->n_cmds; i++)
        lock_partner(work, alter->cmds[i]->alter_table_cmd);
}

/* ---- other statements ---- */

static void lock_rename(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__RenameStmt *rename = node->rename_stmt;
    bool index = rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    lock_range(work, rename->relation, index ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE);
}

static void lock_index(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__IndexStmt *index = node->index_stmt;
    lock_range(work, index->relation, index->concurrent ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_SHARE);
}

static void lock_trigger(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->create_trig_stmt->relation, LOCK_SHARE_ROW_EXCLUSIVE);
}

/* What is dropped is a relation, or something that hangs on one. */
static const struct {
    PgQuery__ObjectType type;
    size_t behind; /* names behind the relation's */
} droppable[] = {
    {PG_QUERY__OBJECT_TYPE__OBJECT_TABLE, 0},    {PG_QUERY__OBJECT_TYPE__OBJECT_INDEX, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_VIEW, 0},     {PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE, 0}, {PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE, 0},
    {PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER, 1},  {PG_QUERY__OBJECT_TYPE__OBJECT_RULE, 1},
    {PG_QUERY__OBJECT_TYPE__OBJECT_POLICY, 1},
};

static void lock_drop(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__DropStmt *drop = node->drop_stmt;
    enum plan_lock mode = drop->concurrent ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE;

    for (size_t kind = 0; kind < sizeof(droppable) / sizeof(droppable[0]); kind++)
        for (size_t i = 0; droppable[kind].type == drop->remove_type && i < drop->n_objects; i++)
            lock_name(work, drop->objects[i], droppable[kind].behind, mode);
    if (drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE)
        with_parents(work);
}

static void lock_truncate(struct plan_work *work, const PgQuery__Node *node)
{
    lock_ranges(work, node->truncate_stmt->relations, node->truncate_stmt->n_relations,
                LOCK_ACCESS_EXCLUSIVE);
}

static void lock_comment(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__CommentStmt *comment = node->comment_stmt;
    bool column = comment->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN;

    for (size_t i = 0; i < sizeof(droppable) / sizeof(droppable[0]); i++)
        if (column || (droppable[i].type == comment->objtype && droppable[i].behind == 0))
            lock_name(work, comment->object, column ? 1 : 0, LOCK_SHARE_UPDATE_EXCLUSIVE);
}

/* Its modes have PostgreSQL's numbers, and so have ours. */
static void lock_lock(struct plan_work *work, const PgQuery__Node *node)
{
    lock_ranges(work, node->lock_stmt->relations, node->lock_stmt->n_relations,
                (enum plan_lock)node->lock_stmt->mode);
}

static void lock_create(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__CreateStmt *create = node->create_stmt;

    lock_ranges(work, create->inh_relations, create->n_inh_relations,
                create->partbound != NULL ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE);
    lock_referenced(work, create->table_elts, create->n_table_elts);
    lock_referenced(work, create->constraints, create->n_constraints);
    for (size_t i = 0; i < create->n_table_elts; i++)
        lock_referenced_by_column(work, create->table_elts[i]);
}

static void lock_refresh(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__RefreshMatViewStmt *refresh = node->refresh_mat_view_stmt;
    lock_range(work, refresh->relation, refresh->concurrent ? LOCK_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE);
}

static void lock_cluster(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->cluster_stmt->relation, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_vacuum(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__VacuumStmt *vacuum = node->vacuum_stmt;
    bool full = node_option_is_on(vacuum->options, vacuum->n_options, "full", false);

    for (size_t i = 0; i < vacuum->n_rels; i++)
        lock_range(work, vacuum->rels[i]->vacuum_relation->relation,
                   full ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE);
}

/* Readers lock the indexes of their tables, which are rebuilt under ACCESS EXCLUSIVE. */
static void lock_reindex(struct plan_work *work, const PgQuery__Node *node)
{
    const PgQuery__ReindexStmt *reindex = node->reindex_stmt;
    bool concurrent = node_option_is_on(reindex->params, reindex->n_params, "concurrently", false);
    lock_range(work, reindex->relation,
               concurrent ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE);
}

static void lock_rule(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->rule_stmt->relation, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_policy(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->create_policy_stmt->table, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_altered_policy(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->alter_policy_stmt->table, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_moved(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->alter_object_schema_stmt->relation, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_statistics(struct plan_work *work, const PgQuery__Node *node)
{
    lock_ranges(work, node->create_stats_stmt->relations, node->create_stats_stmt->n_relations,
                LOCK_SHARE_UPDATE_EXCLUSIVE);
}

static void lock_view(struct plan_work *work, const PgQuery__Node *node)
{
    if (node->view_stmt->replace)
        lock_range(work, node->view_stmt->view, LOCK_ACCESS_EXCLUSIVE);
}

static void lock_sequence(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->alter_seq_stmt->sequence, LOCK_SHARE_ROW_EXCLUSIVE);
}

static void lock_insert(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->insert_stmt->relation, LOCK_ROW_EXCLUSIVE);
}

static void lock_update(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->update_stmt->relation, LOCK_ROW_EXCLUSIVE);
}

static void lock_delete(struct plan_work *work, const PgQuery__Node *node)
{
    lock_range(work, node->delete_stmt->relation, LOCK_ROW_EXCLUSIVE);
}

static const struct {
    PgQuery__Node__NodeCase kind;
    void (*lock)(struct plan_work *work, const PgQuery__Node *node);
} lockers[] = {
    {NODE(ALTER_TABLE_STMT), lock_alter_table},
    {NODE(RENAME_STMT), lock_rename},
    {NODE(INDEX_STMT), lock_index},
    {NODE(CREATE_TRIG_STMT), lock_trigger},
    {NODE(DROP_STMT), lock_drop},
    {NODE(TRUNCATE_STMT), lock_truncate},
    {NODE(COMMENT_STMT), lock_comment},
    {NODE(LOCK_STMT), lock_lock},
    {NODE(CREATE_STMT), lock_create},
    {NODE(REFRESH_MAT_VIEW_STMT), lock_refresh},
    {NODE(CLUSTER_STMT), lock_cluster},
    {NODE(VACUUM_STMT), lock_vacuum},
    {NODE(REINDEX_STMT), lock_reindex},
    {NODE(RULE_STMT), lock_rule},
    {NODE(CREATE_POLICY_STMT), lock_policy},
    {NODE(ALTER_POLICY_STMT), lock_altered_policy},
    {NODE(ALTER_OBJECT_SCHEMA_STMT), lock_moved},
    {NODE(CREATE_STATS_STMT), lock_statistics},
    {NODE(VIEW_STMT), lock_view},
    {NODE(ALTER_SEQ_STMT), lock_sequence},
    {NODE(INSERT_STMT), lock_insert},
    {NODE(UPDATE_STMT), lock_update},
    {NODE(DELETE_STMT), lock_delete},
};

void statement_locks(const PgQuery__Node *node, struct plan_work *work)
{
    for (size_t i = 0; i < sizeof(lockers) / sizeof(lockers[0]); i++)
        if (lockers[i].kind == node->node_case)
            lockers[i].lock(work, node);
}
