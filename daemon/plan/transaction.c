/* What cannot run in a transaction block: the callers of PreventInTransactionBlock in PostgreSQL, as far
 * as the statement alone tells. (CLUSTER and REINDEX of a partitioned table, and DROP SUBSCRIPTION
 * without a slot, depend on the catalog: the first two are taken for ordinary, the last is not.) */
#include "statement.h"

typedef bool is_outside(const PgQuery__Node *node); /* true: it cannot run in a block */

static bool drop_is_outside(const PgQuery__Node *node)
{
    return node->drop_stmt->concurrent;
}

static bool index_is_outside(const PgQuery__Node *node)
{
    return node->index_stmt->concurrent;
}

static bool reindex_is_outside(const PgQuery__Node *node)
{
    const PgQuery__ReindexStmt *reindex = node->reindex_stmt;

    return reindex->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SCHEMA
           || reindex->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SYSTEM
           || reindex->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_DATABASE
           || node_option_is_on(reindex->params, reindex->n_params, "concurrently", false);
}

static bool vacuum_is_outside(const PgQuery__Node *node)
{
    return node->vacuum_stmt->is_vacuumcmd; /* ANALYZE is the same node */
}

static bool cluster_is_outside(const PgQuery__Node *node)
{
    return node->cluster_stmt->relation == NULL;
}

static bool alter_table_is_outside(const PgQuery__Node *node)
{
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;

    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;

        if (command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition
            && command->def->partition_cmd->concurrent)
            return true;
    }
    return false;
}

static bool alter_database_is_outside(const PgQuery__Node *node)
{
    const PgQuery__AlterDatabaseStmt *alter = node->alter_database_stmt;

    return node_option(alter->options, alter->n_options, "tablespace") != NULL;
}

static bool create_subscription_is_outside(const PgQuery__Node *node)
{
    const PgQuery__CreateSubscriptionStmt *create = node->create_subscription_stmt;
    bool connects = node_option_is_on(create->options, create->n_options, "connect", true);

    return node_option_is_on(create->options, create->n_options, "create_slot", connects);
}

static bool alter_subscription_is_outside(const PgQuery__Node *node)
{
    const PgQuery__AlterSubscriptionStmt *alter = node->alter_subscription_stmt;

    switch (alter->kind) {
    case PG_QUERY__ALTER_SUBSCRIPTION_TYPE__ALTER_SUBSCRIPTION_REFRESH:
        return true;
    case PG_QUERY__ALTER_SUBSCRIPTION_TYPE__ALTER_SUBSCRIPTION_SET_PUBLICATION:
    case PG_QUERY__ALTER_SUBSCRIPTION_TYPE__ALTER_SUBSCRIPTION_ADD_PUBLICATION:
    case PG_QUERY__ALTER_SUBSCRIPTION_TYPE__ALTER_SUBSCRIPTION_DROP_PUBLICATION:
        return node_option_is_on(alter->options, alter->n_options, "refresh", true);
    default:
        return false;
    }
}

static const struct {
    PgQuery__Node__NodeCase kind;
    is_outside *when; /* NULL: always */
} outside[] = {
    {PG_QUERY__NODE__NODE_INDEX_STMT, index_is_outside},
    {PG_QUERY__NODE__NODE_DROP_STMT, drop_is_outside},
    {PG_QUERY__NODE__NODE_REINDEX_STMT, reindex_is_outside},
    {PG_QUERY__NODE__NODE_VACUUM_STMT, vacuum_is_outside},
    {PG_QUERY__NODE__NODE_CLUSTER_STMT, cluster_is_outside},
    {PG_QUERY__NODE__NODE_ALTER_TABLE_STMT, alter_table_is_outside},
    {PG_QUERY__NODE__NODE_ALTER_DATABASE_STMT, alter_database_is_outside},
    {PG_QUERY__NODE__NODE_ALTER_SYSTEM_STMT, NULL},
    {PG_QUERY__NODE__NODE_CREATEDB_STMT, NULL},
    {PG_QUERY__NODE__NODE_DROPDB_STMT, NULL},
    {PG_QUERY__NODE__NODE_CREATE_TABLE_SPACE_STMT, NULL},
    {PG_QUERY__NODE__NODE_DROP_TABLE_SPACE_STMT, NULL},
    {PG_QUERY__NODE__NODE_CREATE_SUBSCRIPTION_STMT, create_subscription_is_outside},
    {PG_QUERY__NODE__NODE_ALTER_SUBSCRIPTION_STMT, alter_subscription_is_outside},
    {PG_QUERY__NODE__NODE_DROP_SUBSCRIPTION_STMT, NULL},
};

bool statement_is_transactional(const PgQuery__Node *node)
{
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        if (outside[i].kind == node->node_case)
            return outside[i].when != NULL && !outside[i].when(node);
    return true;
}
