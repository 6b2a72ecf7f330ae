/* Settings that the daemon pins for its own sessions (DESIGN.md sections 5 and 7). */
#include "statement.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;     /* as in pg_settings, or the first words of SET TRANSACTION … */
    const char *accepted; /* the one value that changes nothing; NULL: none */
} managed[] = {
    {"role", NULL},
    {"session_authorization", NULL},
    {"TRANSACTION", NULL},
    {"TRANSACTION SNAPSHOT", NULL},
    {"SESSION CHARACTERISTICS", NULL},
    {"transaction_isolation", NULL},
    {"transaction_read_only", NULL},
    {"transaction_deferrable", NULL},
    {"default_transaction_isolation", NULL},
    {"default_transaction_read_only", NULL},
    {"default_transaction_deferrable", NULL},
    {"synchronous_commit", NULL},
    {"lock_timeout", NULL},
    {"deadlock_timeout", NULL},
    {"idle_in_transaction_session_timeout", NULL},
    {"idle_session_timeout", NULL},
    {"transaction_timeout", NULL},
    {"client_connection_check_interval", NULL},
    {"tcp_keepalives_idle", NULL},
    {"tcp_keepalives_interval", NULL},
    {"tcp_keepalives_count", NULL},
    {"tcp_user_timeout", NULL},
    {"application_name", NULL},
    {"client_encoding", "UTF8"},
    {"standard_conforming_strings", "on"},
};

void statement_check_setting(struct statement *statement, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(managed) / sizeof(managed[0]); i++) {
        if (strcasecmp(managed[i].name, name) != 0)
            continue;
        if (managed[i].accepted != NULL && value != NULL
            && strcasecmp(managed[i].accepted, value) == 0)
            return;
        statement_report(statement, RULE_MANAGED_SETTING, managed[i].name,
                         "'%s' is not a migration's to set", managed[i].name);
        return;
    }
}

void statement_check_set(struct statement *statement, const PgQuery__VariableSetStmt *set)
{
    if (set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL)
        statement_report(statement, RULE_MANAGED_SETTING, NULL,
                         "RESET ALL resets what the daemon has set for its session");
    else
        statement_check_setting(statement, set->name,
                                set->n_args == 1 ? node_string(set->args[0]) : NULL);
}
