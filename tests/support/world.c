/* Setup and teardown of integration programs. */
#include <support/world.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world)
        test_fail("out of memory");
    signal(SIGPIPE, SIG_IGN);
    scratch_open(&world->scratch, "test", SCRATCH_FAST, getenv("KEEP") && *getenv("KEEP"));
    cluster_open(&world->cluster, &world->scratch, false);
    *state = world;
    return 0;
}

int world_close(void **state)
{
    struct world *world = *state;
    cluster_close(&world->cluster);
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

void world_kill(struct world *world, struct daemon *daemon)
{
    daemon_kill(daemon);
    if (PQserverVersion(world->sql) < 140000)
        sql_run(world->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'schemagate coordinator' "
                            "AND datname = current_database()");
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

/* ---- lanes ---- */

#define LANES_MAX 4

struct lane {
    pid_t pid;
    FILE *said; /* shown when it has ended, lest lanes talk across one another */
};

/* In a child: every lanes-th of the tests, from `first` on. */
static int run_lane(size_t first, size_t lanes, const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *share = calloc(count, sizeof *share);
    size_t shared = 0;
    for (size_t i = first; i < count; i += lanes)
        share[shared++] = tests[i];
    int failed = _cmocka_run_group_tests("lane", share, shared, world_open, world_close);
    free(share);
    return failed;
}

static struct lane start_lane(size_t first, size_t lanes, const struct CMUnitTest *tests, size_t count)
{
    struct lane lane = {.said = tmpfile()};
    pid_t parent = getpid();
    fflush(NULL);
    lane.pid = lane.said ? fork() : -1;
    if (lane.pid < 0)
        test_fail("cannot start another lane");
    if (lane.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(fileno(lane.said), STDOUT_FILENO) < 0 ||
            dup2(fileno(lane.said), STDERR_FILENO) < 0)
            _exit(126);
        exit(run_lane(first, lanes, tests, count));
    }
    return lane;
}

static bool end_lane(struct lane *lane)
{
    char text[4096];
    size_t length;
    int status = 0;
    waitpid(lane->pid, &status, 0);
    rewind(lane->said);
    while ((length = fread(text, 1, sizeof text, lane->said)) > 0)
        fwrite(text, 1, length, stdout);
    fclose(lane->said);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int world_run_lanes(size_t lanes, const struct CMUnitTest *tests, size_t count)
{
    struct lane running[LANES_MAX];
    int failed = 0;
    if (lanes > LANES_MAX)
        test_fail("there are at most %d lanes", LANES_MAX);
    for (size_t i = 0; i < lanes; i++)
        running[i] = start_lane(i, lanes, tests, count);
    for (size_t i = 0; i < lanes; i++)
        failed += !end_lane(&running[i]);
    return failed;
}
