/* Replicas that end without a word: their sessions' absence frees a gate where they could not come back
 * unnoticed, and only there; and the roles of applications are remembered. */
#include "session_scene.h"

#define GATE "[gate]\nwitness_interval_seconds = 1\nlease_seconds = 5\n"

static bool is_concluded(struct world *world)
{
    return sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                  "WHERE gone_reason = 'no-sessions'") > 0;
}

/* The old replica is concluded to have gone, and the contract runs. */
static void expect_conclusion(struct world *world, struct scene *s, const char *because)
{
    int64_t until = test_now_ms() + 60000;
    while (test_now_ms() < until && !is_concluded(world)) {
        fleet_renew(s->client, REPLICA("new", 1, 2));
        test_pause();
    }
    fleet_renew(s->client, REPLICA("new", 1, 2));
    rollout_wait(s->client, 2, "complete");
    char *told = sql_text(world->sql, "SELECT data->>'because' FROM schemagate.event "
                                      "WHERE kind = 'replica.gone' AND instance = 'old'");
    assert_string_equal(told, because);
    free(told);
}

static void expect_no_conclusion(struct world *world, const struct scene *s, int64_t for_ms)
{
    int64_t until = test_now_ms() + for_ms;
    rollout_wait_hold(s->client, 2, "replica-lost");
    while (test_now_ms() < until) {
        fleet_renew(s->client, REPLICA("new", 1, 2));
        test_pause();
    }
    assert_false(is_concluded(world));
    assert_true(rollout_has_hold(s->client, 2, "replica-lost"));
}

static void end_session(PGconn **session)
{
    PQfinish(*session);
    *session = NULL;
}

/* Its lease is over, but its session is there; then neither is. */
static void absence_that_is_trusted_frees_the_gate(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, "[gate]\nwitness_interval_seconds = 1\nlease_seconds = 5\n"
                                  "trust_absence_seconds = 2\n");

    rollout_wait_hold(s.client, 2, "replica-lost");
    int64_t until = test_now_ms() + 4000;
    while (test_now_ms() < until) {
        fleet_renew(s.client, REPLICA("new", 1, 2));
        rollout_wait_hold(s.client, 2, "replica-lost");
        test_pause();
    }
    PQfinish(s.old);
    s.old = NULL;
    expect_conclusion(world, &s, "absence is trusted");
    end(&s);
}

/* Whoever connects has a pin: it cannot come back unnoticed. */
static void who_pins_and_is_not_there_is_gone(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, GATE);

    sql_run(s.old, "SELECT schemagate.pin(1, 1)");
    sql_run(s.new, "SELECT schemagate.pin(1, 2)");
    wait_for_evidence(&s, "pinned");
    end_session(&s.old);
    expect_conclusion(world, &s, "its role's sessions are pinned");
    end(&s);
}

static void a_session_of_its_role_without_a_pin_is_doubt(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, GATE);

    sql_run(s.old, "SELECT schemagate.pin(1, 1)");
    wait_for_evidence(&s, "witnessed");
    end_session(&s.old); /* the new one has no pin */
    expect_no_conclusion(world, &s, 4000);
    end(&s);
}

static void who_may_not_log_in_and_is_not_there_is_gone(void **state)
{
    struct world *world = *state;
    struct scene s = begin_as(world, "old_app", GATE);

    wait_for_evidence(&s, "witnessed");
    end_session(&s.old);
    expect_no_conclusion(world, &s, 4000);
    sql_run(world->sql, "ALTER ROLE old_app NOLOGIN");
    expect_conclusion(world, &s, "its role may not log in");
    sql_run(world->sql, "ALTER ROLE old_app LOGIN");
    end(&s);
}

static void a_role_is_remembered_across_restarts(void **state)
{
    struct world *world = *state;
    struct scene s = begin(world, GATE);

    wait_for_evidence(&s, "witnessed");
    daemon_stop(&world->daemons[0]);
    end_session(&s.old);
    end_session(&s.new);
    PGconn *stray = connect_as(world, "app", "cron");
    struct daemon_options options = {.sections = GATE};
    struct http_client *client = &world_daemon(world, &options)->client;
    rollout_wait_hold(client, 2, "session-stray");
    PQfinish(stray);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(absence_that_is_trusted_frees_the_gate),
        world_test(who_pins_and_is_not_there_is_gone),
        world_test(a_session_of_its_role_without_a_pin_is_doubt),
        world_test(who_may_not_log_in_and_is_not_there_is_gone),
        world_test(a_role_is_remembered_across_restarts),
    };
    return world_run_in_lanes(3, tests);
}
