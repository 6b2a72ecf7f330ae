/* One query, the daemon's own (db/sql/catalog.sql). */
#include "plan_facts.h"

#include <schemagate/base/embed.h>
#include <schemagate/base/memory.h>

#include <stdio.h>
#include <string.h>

EMBED(plan_facts_query, "daemon/db/sql/catalog.sql");

static void complain(const char *message)
{
    fprintf(stderr,
            "schemagate plan: --database: %.*s\n"
            "  next: try the same with psql, or leave --database out to plan without the database's facts\n",
            (int)strcspn(message, "\n"), message);
}

/* The bounds that the query asks its callers for. */
static const char settings[] =
    "SELECT set_config(name, setting, false) "
    "FROM (VALUES ('search_path', 'pg_catalog, pg_temp'), ('lock_timeout', '2s'), "
    "             ('statement_timeout', '30s'), ('jit', 'off'), "
    "             ('default_transaction_read_only', 'on')) AS session (name, setting)";

PGconn *plan_facts_connect(const char *conninfo)
{
    /* What stands before dbname are defaults for the connection string. */
    static const char *const keywords[] = {"connect_timeout", "dbname", "application_name",
                                           "client_encoding", NULL};
    const char *const values[] = {"10", conninfo, "schemagate plan", "UTF8", NULL};
    PGconn *database = PQconnectdbParams(keywords, values, 1);
    PGresult *result = PQstatus(database) == CONNECTION_OK ? PQexec(database, settings) : NULL;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        complain(PQerrorMessage(database));
        PQfinish(database);
        database = NULL;
    }
    PQclear(result);
    return database;
}

char *plan_facts_read(PGconn *database, const char *names, const char *role)
{
    const char *const parameters[] = {names, role};
    PGresult *result =
        PQexecParams(database, plan_facts_query, 2, NULL, parameters, NULL, NULL, 0);
    char *facts = NULL;

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        facts = memory_copy(PQgetvalue(result, 0, 0));
    else
        complain(PQerrorMessage(database));
    PQclear(result);
    return facts;
}
