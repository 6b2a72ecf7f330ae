/* Settings that the daemon pins for its own sessions (docs/design.md §5, §7). */
#include "statement.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;     /* as in pg_settings, or the first words of SET TRANSACTION … */
    const char *accepted; /* the one value that changes nothing; NULL: none */
    bool harmless;        /* a file without sections does as well without it */
} managed[] = {
    {"role", NULL, false},
    {"session_authorization", NULL, false},
    {"TRANSACTION", NULL, false},
    {"TRANSACTION SNAPSHOT", NULL, false},
    {"SESSION CHARACTERISTICS", NULL, false},
    {"transaction_isolation", NULL, false},
    {"transaction_read_only", NULL, false},
    {"transaction_deferrable", NULL, false},
    {"default_transaction_isolation", NULL, false},
    {"default_transaction_read_only", NULL, false},
    {"default_transaction_deferrable", NULL, false},
    {"synchronous_commit", NULL, true},
    {"lock_timeout", NULL, true},
    {"deadlock_timeout", NULL, true},
    {"idle_in_transaction_session_timeout", NULL, true},
    {"idle_session_timeout", NULL, true},
    {"transaction_timeout", NULL, true},
    {"client_connection_check_interval", NULL, true},
    {"tcp_keepalives_idle", NULL, true},
    {"tcp_keepalives_interval", NULL, true},
    {"tcp_keepalives_count", NULL, true},
    {"tcp_user_timeout", NULL, true},
    {"application_name", NULL, true},
    {"client_encoding", "UTF8", false},
    {"standard_conforming_strings", "on", false},
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

bool setting_may_be_dropped(const PgQuery__VariableSetStmt *set)
{
    for (size_t i = 0; i < sizeof(managed) / sizeof(managed[0]); i++)
        if (set->name != NULL && strcasecmp(managed[i].name, set->name) == 0)
            return managed[i].harmless;
    return false;
}
