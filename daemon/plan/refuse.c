/* Statements that a migration must not contain, by kind. */
#include "statement.h"

#include <string.h>

static bool copy_uses_client(const PgQuery__Node *node)
{
    const char *file = node->copy_stmt->filename;

    return file == NULL || *file == '\0'; /* STDIN or STDOUT */
}

static bool copy_runs_program(const PgQuery__Node *node)
{
    return node->copy_stmt->is_program;
}

static bool build_has_no_name(const PgQuery__Node *node)
{
    const PgQuery__IndexStmt *index = node->index_stmt;

    return index->concurrent && (index->idxname == NULL || *index->idxname == '\0');
}

static bool drops_several_online(const PgQuery__Node *node)
{
    return node->drop_stmt->concurrent && node->drop_stmt->n_objects > 1;
}

struct refusal {
    PgQuery__Node__NodeCase kind;
    enum plan_rule_id rule;
    bool (*when)(const PgQuery__Node *node); /* NULL: always */
    const char *message;
};

static const struct refusal refused[] = {
    {PG_QUERY__NODE__NODE_TRANSACTION_STMT, RULE_TRANSACTION_CONTROL, NULL,
     "this begins, ends or divides a transaction"},
    {PG_QUERY__NODE__NODE_COPY_STMT, RULE_CLIENT_COPY, copy_uses_client,
     "COPY from STDIN or to STDOUT needs a client that sends or takes rows"},
    {PG_QUERY__NODE__NODE_COPY_STMT, RULE_SERVER_PROGRAM, copy_runs_program,
     "COPY … PROGRAM runs a program on the server"},
    {PG_QUERY__NODE__NODE_DISCARD_STMT, RULE_SESSION_STATE, NULL,
     "DISCARD throws away what the session holds"},
    {PG_QUERY__NODE__NODE_LISTEN_STMT, RULE_SESSION_STATE, NULL,
     "LISTEN subscribes the daemon's session, where nobody reads the messages"},
    {PG_QUERY__NODE__NODE_UNLISTEN_STMT, RULE_SESSION_STATE, NULL,
     "UNLISTEN ends subscriptions of the daemon's session"},
    {PG_QUERY__NODE__NODE_PREPARE_STMT, RULE_SESSION_STATE, NULL,
     "PREPARE leaves a prepared statement behind in the daemon's session"},
    {PG_QUERY__NODE__NODE_EXECUTE_STMT, RULE_SESSION_STATE, NULL,
     "EXECUTE runs a prepared statement, which a migration has none of"},
    {PG_QUERY__NODE__NODE_DEALLOCATE_STMT, RULE_SESSION_STATE, NULL,
     "DEALLOCATE removes prepared statements of the daemon's session"},
    {PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT, RULE_SESSION_STATE, NULL,
     "DECLARE opens a cursor that nobody reads"},
    {PG_QUERY__NODE__NODE_FETCH_STMT, RULE_SESSION_STATE, NULL,
     "FETCH and MOVE need a cursor, which a migration has none of"},
    {PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT, RULE_SESSION_STATE, NULL,
     "CLOSE ends cursors of the daemon's session"},
};

/* The planner writes these otherwise, where it may (form_index.c). */
static const struct refusal refused_as_written[] = {
    {PG_QUERY__NODE__NODE_INDEX_STMT, RULE_NOT_RESUMABLE, build_has_no_name,
     "an index that is built CONCURRENTLY needs a name"},
    {PG_QUERY__NODE__NODE_DROP_STMT, RULE_NOT_RESUMABLE, drops_several_online,
     "DROP INDEX CONCURRENTLY takes one index"},
};

static void refuse_each(struct statement *statement, const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (refusals[i].kind == statement->node->node_case
            && (refusals[i].when == NULL || refusals[i].when(statement->node)))
            statement_report(statement, refusals[i].rule, NULL, "%s", refusals[i].message);
}

void statement_refuse(struct statement *statement)
{
    refuse_each(statement, refused, sizeof(refused) / sizeof(refused[0]));
    if (statement->node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT)
        statement_check_set(statement, statement->node->variable_set_stmt);
    statement_check_mentions(statement);
}

void statement_refuse_as_written(struct statement *statement)
{
    refuse_each(statement, refused_as_written, sizeof(refused_as_written) / sizeof(refused_as_written[0]));
}
