/* A transaction pooler between the daemon and PostgreSQL would break the migration lock: the daemon
 * finds it out, says so, and ends. */
#include <support/process.h>
#include <support/world.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pid_t start_pooler(struct world *world, const char *mode,
                          char conninfo[CLUSTER_CONNINFO_SIZE])
{
    char settings[1024], name[32];
    char *folder = scratch_path(&world->scratch, "pool-%s", mode);
    if (mkdir(folder, 0777) != 0 || chmod(folder, 0777) != 0)
        test_fail("cannot create %s", folder);
    snprintf(settings, sizeof settings,
             "[databases]\n* = host=%s user=postgres\n"
             "[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = %s\n"
             "auth_type = any\npool_mode = %s\nlogfile = %s/log\npidfile = %s/pid\n"
             "ignore_startup_parameters = extra_float_digits,options\n",
             world->cluster.sockets, folder, mode, folder, folder);
    snprintf(name, sizeof name, "%s.ini", mode);
    char *path = scratch_write(&world->scratch, name, settings);
    const char *arguments[] = {"pgbouncer", "-q", path, NULL};
    pid_t pid =
        process_start(&(struct process_options){.arguments = arguments, .user = "postgres"});
    snprintf(conninfo, CLUSTER_CONNINFO_SIZE, "host=%s port=6432 user=postgres dbname=%s", folder,
             strstr(world->conninfo, "dbname=") + strlen("dbname="));
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (PQping(conninfo) != PQPING_OK) {
        if (test_now_ms() > deadline || !process_runs(pid))
            test_fail("pgbouncer does not start");
        test_pause();
    }
    free(folder);
    free(path);
    return pid;
}

static void a_pooler_is_refused(struct world *world, const char *mode)
{
    char conninfo[CLUSTER_CONNINFO_SIZE];
    pid_t pooler = start_pooler(world, mode, conninfo);
    struct daemon *daemon = world_launch(world, &(struct daemon_options){.conninfo = conninfo});
    assert_int_equal(process_code(daemon_wait_end(daemon)), EXIT_FAILURE);
    daemon_wait_log(daemon, "pooler");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_namespace "
                                            "WHERE nspname = 'schemagate'"),
                     0);
    kill(pooler, SIGKILL);
    process_wait(pooler, PATIENCE_MS);
}

static void transaction_pooling_is_refused(void **state)
{
    a_pooler_is_refused(*state, "transaction");
}

static void session_pooling_is_refused(void **state)
{
    a_pooler_is_refused(*state, "session");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(transaction_pooling_is_refused),
        world_test(session_pooling_is_refused),
    };
    return world_run(tests);
}
