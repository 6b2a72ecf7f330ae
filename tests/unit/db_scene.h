/* One daemon's database part that leads, on a database of its own for each test. */
#ifndef TESTS_UNIT_DB_SCENE_H
#define TESTS_UNIT_DB_SCENE_H

#include "db_harness.h"

static char conninfo[CLUSTER_CONNINFO_SIZE];
static PGconn *sql; /* a superuser's session with the database */
static struct part part;

static inline int create_database(void **state)
{
    (void)state;
    cluster_database(&cluster, conninfo);
    sql = sql_open(conninfo);
    return 0;
}

static inline int lead(void **state)
{
    create_database(state);
    part_lead(&part, conninfo);
    return 0;
}

static inline int leave(void **state)
{
    (void)state;
    PQfinish(sql);
    part_stop(&part);
    return 0;
}

#define WITH_TERM(test) cmocka_unit_test_setup_teardown(test, lead, leave)

#endif
