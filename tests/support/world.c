/* Setup and teardown of integration programs. */
#include <support/world.h>

#include <signal.h>
#include <stdlib.h>

int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world)
        test_fail("out of memory");
    signal(SIGPIPE, SIG_IGN);
    scratch_open(&world->scratch, "test", getenv("KEEP") && *getenv("KEEP"));
    cluster_open(&world->cluster, &world->scratch, false);
    *state = world;
    return 0;
}

int world_close(void **state)
{
    struct world *world = *state;
    cluster_stop(&world->cluster);
    free(world);
    return 0;
}

int world_begin_test(void **state)
{
    struct world *world = *state;
    if (!world->cluster.server) /* a failed test has left it stopped */
        cluster_start(&world->cluster);
    cluster_database(&world->cluster, world->conninfo);
    world->sql = sql_open(world->conninfo);
    world->daemon_count = 0;
    return 0;
}

int world_end_test(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < world->daemon_count; i++) {
        struct daemon *daemon = &world->daemons[i];
        if (daemon->pid)
            kill(daemon->pid, SIGCONT);
        daemon_stop(daemon);
        daemon_close(daemon);
    }
    world->daemon_count = 0;
    PQfinish(world->sql);
    world->sql = NULL;
    return 0;
}

struct daemon *world_launch(struct world *world, const struct daemon_options *options)
{
    struct daemon_options filled = options ? *options : (struct daemon_options){0};
    if (!filled.conninfo)
        filled.conninfo = world->conninfo;
    if (world->daemon_count == WORLD_DAEMONS)
        test_fail("too many daemons for one test");
    struct daemon *daemon = &world->daemons[world->daemon_count++];
    daemon_launch(daemon, &world->scratch, &filled);
    return daemon;
}

struct daemon *world_daemon(struct world *world, const struct daemon_options *options)
{
    struct daemon *daemon = world_launch(world, options);
    daemon_wait_notification(daemon, "READY=1");
    daemon_wait_leader(daemon);
    return daemon;
}

struct http_client *world_client(struct world *world)
{
    return &world_daemon(world, NULL)->client;
}

void world_reconnect(struct world *world)
{
    PQfinish(world->sql);
    world->sql = sql_open(world->conninfo);
}

int64_t world_rows(struct world *world, const char *table)
{
    return sql_number(world->sql, "SELECT count(*) FROM schemagate.%s", table);
}
