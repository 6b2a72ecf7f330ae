/* What goes wrong between the coordinator and its database: every status at every commit and every execution,
 * terms that end in the middle, answers that come late, and random orders of all of it. */
#include "coordinator_requests.h"

/* ---- one status at one commit ---- */

static unsigned countdown; /* the commit or execution at which it goes wrong; 0: none */
static enum commit_status commit_failure;

static enum commit_status fail_commit(struct world *w, const struct call *call)
{
    (void)w, (void)call;
    return countdown > 0 && --countdown == 0 ? commit_failure : COMMIT_DONE;
}

static enum execution_status fail_run(struct world *w, const struct call *call)
{
    (void)w, (void)call;
    return countdown > 0 && --countdown == 0 ? run_failure : EXECUTION_DONE;
}

/* As the service does it: whenever the coordinator asks for a new term, it gets one. */
static void go_on(struct world *w)
{
    for (int i = 0; i < 40; i++) {
        world_settle(w);
        if (w->restarts)
            world_restart_term(w);
        renew(w, "a", "i1");
        renew(w, "b", "i1");
        world_pass(w, 10000);
    }
}

static void until_done(struct world *w, const char *instance, int64_t min, int64_t max)
{
    for (int tries = 0; tries < 20; tries++) {
        struct reply reply = {0};
        send_register(w, instance, "i1", min, max, &reply);
        world_settle(w);
        assert_int_equal(reply.count, 1); /* exactly once, whatever happens */
        if (reply.problem == PROBLEM_NONE)
            return;
        assert_int_equal(reply.problem, PROBLEM_DATABASE_UNAVAILABLE);
        go_on(w);
    }
    fail_msg("%s could not register", instance);
}

static void submit_until_done(struct world *w, int64_t version, const char *sql)
{
    for (int tries = 0; tries < 20; tries++) {
        struct reply reply = submit(w, version, sql);
        if (reply.problem == PROBLEM_NONE)
            return;
        assert_int_equal(reply.problem, PROBLEM_DATABASE_UNAVAILABLE);
        go_on(w);
    }
    fail_msg("%lld could not be submitted", (long long)version);
}

/* Registers, expands, loses a replica, contracts twice, undoes: with one failure on the way it comes to the
 * same end, and each transaction is committed once. */
static void whole_story(struct world *w)
{
    until_done(w, "a", 0, 3);
    until_done(w, "b", 0, 3);
    until_done(w, "old", 0, 0);
    submit_until_done(w, 1, EXPAND BACKFILL CONTRACT_IN_TWO);
    submit_until_done(w, 2, EXPAND CONTRACT);
    for (int tries = 0; *stored_state(w, "old", "i1") && strcmp(stored_state(w, "old", "i1"), "gone") != 0;
         tries++) {
        assert_true(tries < 20);
        leave(w, "old");
        go_on(w);
    }
    submit_until_done(w, 3, EXPAND UNDO);
    go_on(w);
    for (int tries = 0; the_migration(w, 3)->phase != PHASE_UNDONE; tries++) {
        assert_true(tries < 20);
        for (int64_t v = 1; v <= 3; v++)
            if (the_migration(w, v)->failed && the_migration(w, v)->phase != PHASE_COMPLETE)
                act(w, v, EVENT_RETRY);
        go_on(w);
        if (the_migration(w, 2)->phase == PHASE_COMPLETE)
            act(w, 3, EVENT_UNDO);
        go_on(w);
    }
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_phase(w, 2, PHASE_COMPLETE);
    assert_window(w, 2, 2, 0, 0);
    assert_int_equal(w->runs, 8);
    assert_int_equal(w->contracts_run, 3);
}

static unsigned commits_of_the_story(void)
{
    struct world *w = world_new();
    world_lead(w);
    whole_story(w);
    unsigned commits = w->commits;
    world_free(w);
    return commits;
}

static void test_every_status_at_every_commit(void **state)
{
    static const enum commit_status statuses[] = {COMMIT_FENCED, COMMIT_UNKNOWN, COMMIT_FAILED};
    unsigned commits = commits_of_the_story();
    (void)state;

    for (size_t s = 0; s < sizeof statuses / sizeof *statuses; s++) {
        for (unsigned at = 1; at <= commits; at++) {
            struct world *w = world_new();
            w->on_commit = fail_commit;
            commit_failure = statuses[s];
            countdown = at;
            world_lead(w);
            go_on(w);
            whole_story(w);
            world_free(w);
        }
    }
}

static void test_every_status_at_every_execution(void **state)
{
    (void)state;
    for (enum execution_status status = EXECUTION_TRY_AGAIN; status <= EXECUTION_UNKNOWN; status++) {
        for (unsigned at = 1; at <= 8; at++) {
            struct world *w = world_new();
            w->on_run = fail_run;
            run_failure = status;
            countdown = at;
            world_lead(w);
            whole_story(w);
            world_free(w);
        }
    }
}

/* ---- unknown outcomes ---- */

static struct world *leading_world(void)
{
    struct world *w = world_new();
    world_lead(w);
    return w;
}

/* It was committed, but nobody was told: the client hears 503, the next term knows. */
static void test_a_commit_whose_outcome_is_unknown(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    send_register(w, "a", "i1", 0, 1, &reply);
    struct call *commit = up_to(w, CALL_COMMIT);
    world_carry_out(w, commit);
    commit->commit_status = COMMIT_UNKNOWN;
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(w->restarts, 1);
    world_restart_term(w);
    assert_non_null(coordinator_find_replica(w->c, "web", "a"));
    world_free(w);
}

/* Nothing is begun between the request for a new term and its beginning. */
static void test_nothing_is_begun_in_a_term_that_is_over(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    run_failure = EXECUTION_UNKNOWN;
    countdown = 1;
    w->on_run = fail_run;
    submit(w, 1, EXPAND);
    assert_int_equal(w->restarts, 1);
    coordinator_tick(w->c);
    assert_null(w->calls);
    send_register(w, "a", "i1", 0, 1, &reply);
    world_settle(w);
    assert_int_equal(reply.problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(w->runs, 0);
    world_restart_term(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->runs, 1);
    world_free(w);
}

/* Nothing else has to fail first. */
static void test_an_execution_that_is_fenced_ends_the_term(void **state)
{
    (void)state;
    struct world *w = leading_world();
    run_failure = EXECUTION_FENCED;
    countdown = 1;
    w->on_run = fail_run;
    submit(w, 1, EXPAND);
    assert_int_equal(w->restarts, 1);
    assert_int_equal(w->runs, 0);
    world_free(w);
}

/* ---- what ends its own session ---- */

static enum execution_status lose_session(struct world *w, const struct call *call)
{
    (void)w;
    return call->version == 1 ? EXECUTION_UNKNOWN : EXECUTION_DONE;
}

/* The next term begins, and after this pause, not before, the next try, which loses the session again. */
static void lose_again(struct world *w, int64_t after_ms)
{
    char summary[256];

    world_restart_term(w);
    world_settle(w);
    if (after_ms > 0) {
        assert_int_equal(w->restarts, 0);
        assert_int_equal(coordinator_migration_status(w->c, the_migration(w, 1)), STATUS_RETRYING);
        coordinator_migration_summary(w->c, the_migration(w, 1), summary, sizeof summary);
        assert_non_null(strstr(summary, "times in a row under it"));
        world_pass(w, after_ms - 1);
        assert_int_equal(w->restarts, 0);
        world_pass(w, 1);
    }
    assert_int_equal(w->restarts, 1);
}

static struct world *world_that_has_lost(unsigned times)
{
    static const int64_t pauses[] = {0, 0, 1000, 2000, 4000};
    struct world *w = leading_world();

    w->on_run = lose_session;
    submit(w, 1, EXPAND);
    for (unsigned i = 1; i < times; i++)
        lose_again(w, pauses[i]);
    return w;
}

/* Like a build that takes the server's memory: not for ever, and not without a pause. */
static void test_what_ends_its_session_again_and_again_fails(void **state)
{
    (void)state;
    struct world *w = world_that_has_lost(5);
    world_restart_term(w);
    world_settle(w);
    assert_int_equal(w->restarts, 0);
    assert_true(the_migration(w, 1)->failed);
    assert_non_null(strstr(the_migration(w, 1)->error->message, "ended 5 times in a row"));
    assert_non_null(the_migration(w, 1)->error->hint);
    act(w, 1, EVENT_RETRY); /* counts anew */
    assert_int_equal(w->restarts, 1);
    w->on_run = NULL;
    world_restart_term(w);
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    world_free(w);
}

static void test_sessions_lost_long_ago_do_not_count(void **state)
{
    (void)state;
    struct world *w = world_that_has_lost(4);
    w->on_run = NULL;
    world_restart_term(w);
    world_pass(w, 4000);
    assert_phase(w, 1, PHASE_COMPLETE);
    run_failure = EXECUTION_UNKNOWN;
    countdown = 1;
    w->on_run = fail_run;
    submit(w, 2, EXPAND);
    world_restart_term(w);
    world_settle(w);
    assert_phase(w, 2, PHASE_COMPLETE);
    world_free(w);
}

/* ---- answers that come late ---- */

/* The answer of the first term's commit comes when the second one leads already. */
static void test_a_late_answer_changes_nothing(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply late = {0};
    submit(w, 1, EXPAND CONTRACT);
    send_register(w, "a", "i1", 0, 1, &late);
    struct call *commit = up_to(w, CALL_COMMIT);
    commit->held = true;
    world_carry_out(w, commit);
    world_next_term(w);
    assert_true(has_hold(w, 1, HOLD_SETTLING)); /* it was read in */
    world_answer(w, commit);
    assert_int_equal(late.problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(w->restarts, 0);
    world_settle(w);
    assert_true(has_hold(w, 1, HOLD_SETTLING));
    assert_int_equal(w->contracts_run, 0);
    renew(w, "a", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    world_free(w);
}

/* The same for a verification, and for the transition that led to it. */
static void test_a_late_verification_starts_no_contract(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    submit(w, 1, EXPAND CONTRACT);
    send_register(w, "a", "i1", 0, 1, &reply);
    struct call *verification = up_to(w, CALL_VERIFY);
    verification->held = true;
    world_carry_out(w, verification); /* no hold was found */
    world_next_term(w);
    assert_window(w, 0, 1, 0, 0);
    struct reply old = join(w, "old", 0, 0);
    assert_int_equal(old.state, REPLICA_LIVE);
    world_answer(w, verification);
    world_settle(w);
    renew(w, "a", "i1");
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    world_free(w);
}

/* Once more, in the moment in which the next term has fenced the same contract. */
static void test_a_late_verification_counts_for_its_own_term(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    submit(w, 1, EXPAND CONTRACT);
    send_register(w, "a", "i1", 0, 1, &reply);
    struct call *verification = up_to(w, CALL_VERIFY);
    verification->held = true;
    world_next_term(w);
    renew(w, "a", "i1");
    up_to(w, CALL_COMMIT);
    world_carry_out(w, verification);
    world_answer(w, verification);
    assert_null(world_find(w, CALL_RUN));
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
    assert_int_equal(w->contracts_run, 1);
    world_free(w);
}

static void test_a_late_execution_changes_nothing(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    send_submit(w, 1, EXPAND, &reply);
    struct call *run = up_to(w, CALL_RUN);
    run->held = true;
    world_carry_out(w, run);
    world_next_term(w);
    assert_phase(w, 1, PHASE_COMPLETE); /* it was read in */
    world_answer(w, run);
    world_settle(w);
    assert_int_equal(coordinator_counts(w->c)->expands, 0);
    world_free(w);
}

static void test_a_session_that_was_lost_in_an_earlier_term(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    send_submit(w, 1, EXPAND, &reply);
    struct call *run = up_to(w, CALL_RUN);
    run->held = true;
    world_carry_out(w, run);
    run->run_status = EXECUTION_UNKNOWN;
    world_next_term(w);
    world_answer(w, run);
    assert_int_equal(w->restarts, 0);
    world_free(w);
}

static void test_a_stop_behind_the_fence_runs_nothing(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply reply = {0};
    submit(w, 1, EXPAND CONTRACT);
    send_register(w, "a", "i1", 0, 1, &reply);
    up_to(w, CALL_VERIFY);
    coordinator_stop(w->c);
    world_settle(w);
    assert_int_equal(w->contracts_run, 0);
    assert_true(coordinator_is_idle(w->c));
    world_free(w);
}

/* ---- stale generations ---- */

/* The executor wrote the window first: the registration is decided again, against the new one. */
static void test_a_stale_registration_is_decided_again(void **state)
{
    (void)state;
    struct world *w = leading_world();
    struct reply submitted = {0}, joined = {0};
    send_submit(w, 1, EXPAND, &submitted);
    struct call *run = up_to(w, CALL_RUN);
    run->held = true;
    send_register(w, "a", "i1", 1, 1, &joined);
    up_to(w, CALL_COMMIT);
    world_carry_out(w, run); /* committed; its word is on its way */
    world_turn(w);           /* the registration's answer: stale */
    assert_int_equal(joined.count, 0);
    world_answer(w, run);
    world_settle(w);
    assert_int_equal(joined.count, 1);
    assert_int_equal(joined.state, REPLICA_LIVE);
    assert_int_equal(w->restarts, 0);
    world_free(w);
}

static void test_a_window_that_nobody_should_have_written(void **state)
{
    (void)state;
    struct world *w = leading_world();
    json_object_set_new(world_table(w, "window"), "generation", json_integer(50));
    assert_int_equal(join(w, "a", 0, 1).problem, PROBLEM_NONE); /* the same window: decided again */
    json_object_set_new(world_table(w, "window"), "generation", json_integer(99));
    json_object_set_new(world_table(w, "window"), "ceiling", json_integer(7));
    assert_int_equal(join(w, "b", 0, 1).problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_int_equal(w->restarts, 1);
    world_restart_term(w);
    assert_int_equal(coordinator_window(w->c)->window.ceiling, 7);
    world_free(w);
}

/* ---- any order ---- */

/* What clients know: an incarnation runs from the answer `live` until just before its goodbye. */
#define CLIENTS 6

struct client {
    char instance[8], incarnation[16];
    int64_t min, max;
    bool running, registering;
    struct reply reply;
};

static struct client clients[CLIENTS];
static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* The invariant, as those see it who would be hurt. */
static void check_clients(struct world *w, const struct call *call)
{
    bool contract = strcmp(call->phase, "contract") == 0;
    (void)w;
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].running && (contract ? clients[i].max < call->version
                                            : clients[i].min >= call->version))
            fail_msg("%s %lld runs under %s (%lld..%lld)", call->phase, (long long)call->version,
                     clients[i].instance, (long long)clients[i].min, (long long)clients[i].max);
}

static void client_acts(struct world *w, struct client *client)
{
    static unsigned incarnations;
    struct reply *reply = &client->reply;

    if (client->registering && reply->count) {
        client->registering = false;
        client->running = reply->problem == PROBLEM_NONE && reply->state == REPLICA_LIVE;
    }
    if (client->registering)
        return;
    if (client->running && chance(4) == 0) {
        client->running = false; /* first it stops, then it says so, or not */
        if (chance(2))
            coordinator_remove(w->c, REPLICA_DEREGISTERED, "web", client->instance, client->incarnation, "",
                               "app:web", NULL, NULL);
        else if (chance(2))
            coordinator_remove(w->c, REPLICA_EVICTED, "web", client->instance, NULL, "", "tester", NULL,
                               NULL);
    } else if (client->running) {
        renew(w, client->instance, client->incarnation);
    } else {
        int64_t newest = coordinator_window(w->c)->latest;
        snprintf(client->incarnation, sizeof client->incarnation, "i%u", ++incarnations);
        client->min = chance((uint32_t)newest + 2);
        client->max = client->min + chance(3);
        client->registering = true;
        *reply = (struct reply){0};
        send_register(w, client->instance, client->incarnation, client->min, client->max, reply);
    }
}

static void somebody_acts(struct world *w)
{
    static const char *const files[] = {EXPAND CONTRACT UNDO, EXPAND BACKFILL CONTRACT_IN_TWO UNDO_IN_TWO,
                                        EXPAND UNDO, EXPAND CONTRACT_IN_TWO UNDO};
    static const enum machine_event actions[] = {EVENT_PAUSE, EVENT_RESUME, EVENT_RESUME, EVENT_RETRY,
                                                 EVENT_RETRY, EVENT_UNDO,   EVENT_CANCEL};
    static struct reply ignored;
    int64_t latest = coordinator_window(w->c)->latest;

    switch (chance(8)) {
    case 0:
        if (latest < 12)
            send_submit(w, latest + 1, files[chance(4)], &ignored);
        break;
    case 1:
        send_act(w, 1 + chance((uint32_t)latest + 1), actions[chance(7)], &ignored);
        break;
    case 2:
        w->now.boot_ms += 1 + chance(8000);
        w->wake_at = 0;
        coordinator_tick(w->c);
        break;
    default:
        client_acts(w, &clients[chance(CLIENTS)]);
        break;
    }
}

/* One call is carried out, or answered; commits and executions overtake each other. */
static void database_acts(struct world *w)
{
    struct call *call = w->calls;
    unsigned count;

    DL_COUNT(w->calls, call, count);
    if (count == 0) {
        if (w->woken) {
            w->woken = false;
            coordinator_tick(w->c);
        }
        return;
    }
    call = w->calls;
    for (unsigned i = chance(count); i > 0; i--)
        call = call->next;
    if (!call->carried_out && chance(2))
        world_carry_out(w, call);
    else
        world_answer(w, call);
}

static enum commit_status commit_by_chance(struct world *w, const struct call *call)
{
    (void)w, (void)call;
    return chance(60) == 0 ? (chance(2) ? COMMIT_UNKNOWN : COMMIT_FAILED) : COMMIT_DONE;
}

static enum execution_status run_by_chance(struct world *w, const struct call *call)
{
    (void)w, (void)call;
    return chance(3) == 0 ? (enum execution_status)chance(EXECUTION_UNKNOWN + 1) : EXECUTION_DONE;
}

/* Both parts of the world agree once all is quiet; nobody who waits could be admitted. */
static void check_quiet(struct world *w)
{
    world_settle(w);
    if (w->restarts)
        return;
    const struct window *window = &coordinator_window(w->c)->window, stored = world_window(w);
    assert_memory_equal(window, &stored, sizeof stored);
    for (const struct migration *m = coordinator_first_migration(w->c); m;
         m = coordinator_next_migration(m))
        assert_phase(w, m->version, m->phase);
    for (struct replica *r = coordinator_first_replica(w->c); r; r = coordinator_next_replica(r)) {
        assert_string_equal(stored_state(w, r->instance, r->incarnation),
                            replica_state_name((enum replica_state)r->state));
        if (r->state == REPLICA_WAITING)
            assert_int_not_equal(window_admit(coordinator_window(w->c), r->cohort->gate.range),
                                 ADMISSION_LIVE);
    }
}

static unsigned random_story(uint32_t number, int moves)
{
    struct world *w = world_new();

    seed = number;
    memset(clients, 0, sizeof clients);
    for (size_t i = 0; i < CLIENTS; i++)
        snprintf(clients[i].instance, sizeof clients[i].instance, "r%zu", i);
    w->before_contract = check_clients;
    w->on_commit = commit_by_chance;
    w->on_run = run_by_chance;
    w->config.gate.lease_seconds = 30;
    world_lead(w);
    for (int move = 0; move < moves; move++) {
        if (chance(3) == 0)
            somebody_acts(w);
        else
            database_acts(w);
        if (w->restarts || chance(500) == 0)
            world_restart_term(w);
        if (chance(100) == 0)
            check_quiet(w);
    }
    check_quiet(w);
    unsigned contracts = w->contracts_run;
    world_free(w);
    return contracts;
}

static void test_no_order_of_things_hurts_anybody(void **state)
{
    const char *first = getenv("SEED"), *stories = getenv("STORIES");
    uint32_t from = first ? (uint32_t)strtoul(first, NULL, 10) : 1;
    uint32_t count = stories ? (uint32_t)strtoul(stories, NULL, 10) : 100;
    unsigned contracts = 0;
    (void)state;

    for (uint32_t i = from; i < from + count; i++) {
        print_message("SEED=%u\r", i);
        contracts += random_story(i, 3000);
    }
    print_message("%u contracts in %u stories\n", contracts, count);
    assert_true(contracts >= count / 2); /* else it tests nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_at_every_commit),
        cmocka_unit_test(test_every_status_at_every_execution),
        cmocka_unit_test(test_a_commit_whose_outcome_is_unknown),
        cmocka_unit_test(test_nothing_is_begun_in_a_term_that_is_over),
        cmocka_unit_test(test_an_execution_that_is_fenced_ends_the_term),
        cmocka_unit_test(test_what_ends_its_session_again_and_again_fails),
        cmocka_unit_test(test_sessions_lost_long_ago_do_not_count),
        cmocka_unit_test(test_a_late_answer_changes_nothing),
        cmocka_unit_test(test_a_late_verification_starts_no_contract),
        cmocka_unit_test(test_a_late_verification_counts_for_its_own_term),
        cmocka_unit_test(test_a_late_execution_changes_nothing),
        cmocka_unit_test(test_a_session_that_was_lost_in_an_earlier_term),
        cmocka_unit_test(test_a_stop_behind_the_fence_runs_nothing),
        cmocka_unit_test(test_a_stale_registration_is_decided_again),
        cmocka_unit_test(test_a_window_that_nobody_should_have_written),
        cmocka_unit_test(test_no_order_of_things_hurts_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
