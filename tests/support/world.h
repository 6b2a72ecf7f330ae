/* The world of an integration program: one cluster for the program; for each test a database and
 * the daemons that it starts. A program's main is `return world_run(tests)`. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <support/cluster.h>
#include <support/daemon.h>
#include <support/fleet.h>
#include <support/json.h>
#include <support/rollout.h>
#include <support/scratch.h>
#include <support/sql.h>
#include <support/test.h>

#define WORLD_DAEMONS 4

struct world {
    struct scratch scratch;
    struct cluster cluster;
    char conninfo[CLUSTER_CONNINFO_SIZE]; /* of this test's database */
    PGconn *sql;                          /* a superuser's session with it */
    struct daemon daemons[WORLD_DAEMONS];
    size_t daemon_count;
};

int world_open(void **state);
int world_close(void **state);
int world_begin_test(void **state);
int world_end_test(void **state);

#define world_test(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, world_begin_test, world_end_test)

/* TEST_FILTER (a pattern) in the environment selects tests by name. */
#define world_run(tests)                                                                           \
    (cmocka_set_test_filter(getenv("TEST_FILTER")),                                                \
     cmocka_run_group_tests(tests, world_open, world_close))

/* The same for tests that mostly wait: in lanes that run beside one another, each with a cluster of its own
 * and its share of the tests. */
#define world_run_in_lanes(lanes, tests)                                                           \
    (cmocka_set_test_filter(getenv("TEST_FILTER")),                                                \
     world_run_lanes(lanes, tests, sizeof(tests) / sizeof((tests)[0])))
int world_run_lanes(size_t lanes, const struct CMUnitTest *tests, size_t count);

/* Starts a daemon on this test's database (options may be NULL) and waits until it leads. It
 * belongs to the world, which ends it after the test and expects exit code 0. */
struct daemon *world_daemon(struct world *world, const struct daemon_options *options);

/* The same without waiting for anything. */
struct daemon *world_launch(struct world *world, const struct daemon_options *options);

/* Kills a daemon that is at work. Before PostgreSQL 14 the server does not notice until the statement has
 * ended, be it that it waits for ever (database.limits): then somebody has to end its session. */
void world_kill(struct world *world, struct daemon *daemon);

/* A daemon that leads, with nothing special. */
struct http_client *world_client(struct world *world);

/* Opens the test's session again (after the server was restarted). */
void world_reconnect(struct world *world);

/* The number of rows in a table of the daemon's schema. */
int64_t world_rows(struct world *world, const char *table);

#endif
