/* One coordinator that leads, in a world of its own for each test. */
#ifndef TESTS_UNIT_COORDINATOR_SCENE_H
#define TESTS_UNIT_COORDINATOR_SCENE_H

#include "coordinator_requests.h"

static struct world *w;

/* How each test's world begins: it is new, and leads when this returns. */
static void (*scene_begin)(struct world *world) = world_lead;

static inline int set_up(void **state)
{
    (void)state;
    w = world_new();
    scene_begin(w);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    world_free(w);
    return 0;
}

/* The instance renews every five seconds, for so long. */
static inline void live_for(int64_t ms, const char *instance)
{
    for (; ms > 0; ms -= 5000) {
        renew(w, instance, "i1");
        world_pass(w, 5000);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* For tests whose world is configured otherwise. */
#define scene_run(tests, begin) (scene_begin = (begin), cmocka_run_group_tests(tests, NULL, NULL))

#endif
