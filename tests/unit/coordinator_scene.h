/* One coordinator that leads, in a world of its own for each test. */
#ifndef TESTS_UNIT_COORDINATOR_SCENE_H
#define TESTS_UNIT_COORDINATOR_SCENE_H

#include "coordinator_requests.h"

static struct world *w;

static inline int set_up(void **state)
{
    (void)state;
    w = world_new();
    world_lead(w);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    world_free(w);
    return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
