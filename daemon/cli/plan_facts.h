/* The catalog's facts for `plan --database`, over a connection of our own. */
#ifndef SCHEMAGATE_CLI_PLAN_FACTS_H
#define SCHEMAGATE_CLI_PLAN_FACTS_H

#include <libpq-fe.h>

/* A session that only reads; NULL after saying on stderr what is wrong. PQfinish it. */
PGconn *plan_facts_connect(const char *conninfo);

/* What the catalog says of the names (a JSON array), for migrations that run as `role` ("": the session's
 * own); the caller frees. NULL after saying on stderr what is wrong. */
char *plan_facts_read(PGconn *database, const char *names, const char *role);

#endif
