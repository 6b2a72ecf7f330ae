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

static const struct {
    PgQuery__Node__NodeCase kind;
    enum plan_rule_id rule;
    bool (*when)(const PgQuery__Node *node); /* NULL: always */
    const char *message;
} refused[] = {
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

void statement_refuse(struct statement *statement)
{
    const PgQuery__Node *node = statement->node;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (refused[i].kind == node->node_case
            && (refused[i].when == NULL || refused[i].when(node)))
            statement_report(statement, refused[i].rule, NULL, "%s", refused[i].message);
    if (node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT)
        statement_check_set(statement, node->variable_set_stmt);
    statement_check_mentions(statement);
}
