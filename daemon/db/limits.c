/* The limits of old servers (PostgreSQL's release notes of the version that is named in each). */
#include <schemagate/db/limits.h>

static const struct {
    int before; /* as PQserverVersion has it */
    const char *sentence;
} limits_known[] = {
    {140000, "before PostgreSQL 14 the server does not end the session of a daemon that is stopped, cut off, "
             "or killed in a statement (client_connection_check_interval, idle_session_timeout): a standby "
             "daemon waits until the statement has ended and TCP gives up, or somebody says "
             "pg_terminate_backend"},
    {140000, "before PostgreSQL 14 there is no ALTER TABLE ... DETACH PARTITION CONCURRENTLY: a plain "
             "DETACH PARTITION locks the partitioned table"},
    {140000, "before PostgreSQL 14 there are no TID range scans: batches over a table without a unique key "
             "name each place of a row by itself"},
    {140000, "before PostgreSQL 14 pg_stat_statements does not say when it was reset, or that it has thrown "
             "statements out: calls that were not seen because of that are not told of"},
    {150000, "before PostgreSQL 15 views do not heed row security: a table that has it cannot be renamed "
             "beside running code"},
    {150000, "before PostgreSQL 15 triggers on partitions are not ENABLE ALWAYS: where "
             "session_replication_role is replica, and in logical replication, old and new column of a "
             "partitioned table do not follow each other"},
};

static const char may_not_hurry[] =
    "an autovacuum of a table that is waited for yields only after the server's own deadlock_timeout: this "
    "role may not set deadlock_timeout, which before PostgreSQL 15 only superusers may";

void limits_describe(int server_version, bool may_hurry, const char *limits[TERM_LIMITS])
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof limits_known / sizeof limits_known[0]; i++)
        if (server_version < limits_known[i].before)
            limits[count++] = limits_known[i].sentence;
    if (server_version < 150000 && !may_hurry)
        limits[count++] = may_not_hurry;
    limits[count] = NULL;
}
