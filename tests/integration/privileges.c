/* What a verdict rests on where privileges decide: a contract that drops what no role of an application can
 * reach any more is proved, and its event says who was asked about. */
#include "session_scene.h"

#define GATE "[gate]\nwitness_interval_seconds = 1\n"

static const char opened[] = "SELECT data->>'%s' FROM schemagate.event "
                             "WHERE kind = 'gate.opened' AND version = 2";

static void expect_opened(struct world *world, const char *member, const char *expected)
{
    char query[256];
    snprintf(query, sizeof query, opened, member);
    char *found = sql_text(world->sql, "%s", query);
    assert_string_equal(found, expected);
    free(found);
}

static void expect_roles(struct world *world, const char *expected)
{
    char *found = sql_text(world->sql, "SELECT data->'reach'->>'roles' FROM schemagate.event "
                                       "WHERE kind = 'gate.opened' AND version = 2");
    assert_string_equal(found, expected);
    free(found);
}

/* The tests' own superuser is at work under a name that is ignored. */
static struct scene begin_granting(struct world *world, const char *grant)
{
    sql_run(world->sql, "SET application_name = 'psql'");
    struct scene s = begin(world, GATE);
    sql_run(world->sql, "ALTER ROLE old_app NOLOGIN");
    sql_run(world->sql, "%s", grant);
    wait_for_evidence(&s, "witnessed");
    return s;
}

static void what_no_application_can_reach_is_proved(void **state)
{
    struct world *world = *state;
    struct scene s = begin_granting(world, "GRANT SELECT (id, full_name) ON customer TO app");

    old_leaves(&s);
    rollout_wait(s.client, 2, "complete");
    expect_opened(world, "evidence", "proved");
    expect_roles(world, "[]");
    end(&s);
}

static void what_an_application_can_reach_is_not(void **state)
{
    struct world *world = *state;
    struct scene s = begin_granting(world, "GRANT SELECT ON customer TO app");

    old_leaves(&s);
    rollout_wait(s.client, 2, "complete");
    expect_opened(world, "evidence", "witnessed");
    expect_roles(world, "[\"app\"]");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_no_application_can_reach_is_proved),
        world_test(what_an_application_can_reach_is_not),
    };
    return world_run(tests);
}
