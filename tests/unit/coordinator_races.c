/* What the simulation (tests/sim) has found, told step by step. */
#include "coordinator_scene.h"

static struct reply join_listing(const char *instance, int64_t max, int64_t version,
                                 const char *checksum)
{
    const struct gate_knows knows = {version, checksum};
    return register_as(w, (struct registration){
                              .instance = instance, .range = {0, max}, .knows = &knows, .knows_count = 1});
}

/* The next execution stays under way. */
static struct call *hold_the_run(void)
{
    struct call *run;
    while (!(run = world_find(w, CALL_RUN)))
        assert_true(world_turn(w));
    run->held = true;
    world_settle(w);
    return run;
}

/* A release that claims every version to come, but lists only what it ships, counts as behind a contract that
 * it does not list. It was held against the gate while it ran, yet admitted when it came later: while that
 * contract ran, and after it. */
static void test_who_does_not_list_a_contract_does_not_start_behind_it(void **state)
{
    (void)state;
    submit(w, 1, EXPAND CONTRACT);
    char *checksum = memory_copy(the_migration(w, 1)->checksum);
    struct reply reply = {0};
    join(w, "old", 0, 0);
    join(w, "new", 0, 1);
    send_remove(w, REPLICA_DEREGISTERED, "old", "i1", &reply);

    struct call *run = hold_the_run();
    assert_window(w, 0, 1, 1, 0);
    assert_int_equal(join_listing("during", 1000, 0, "sha256:0").problem, PROBLEM_SCHEMA_TOO_OLD);
    run->held = false;
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);

    reply = join_listing("after", 1000, 0, "sha256:0");
    assert_int_equal(reply.problem, PROBLEM_SCHEMA_TOO_OLD);
    assert_int_equal(reply.needed, 1);
    assert_int_equal(join_listing("other-text", 1000, 1, "sha256:1").problem, PROBLEM_SCHEMA_TOO_OLD);
    assert_int_equal(join_listing("same-text", 1000, 1, checksum).state, REPLICA_LIVE);
    /* It has folded its first migrations together. */
    assert_int_equal(join_listing("folded", 1000, 7, "sha256:7").state, REPLICA_LIVE);
    free(checksum);
}

static enum execution_status lose_the_session(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    return EXECUTION_UNKNOWN;
}

/* The floor has risen all the same, and the listing may be of a release whose maximum says nothing. */
static void test_who_does_not_list_what_is_hidden_does_not_start(void **state)
{
    (void)state;
    join(w, "new", 0, 1);
    submit(w, 1, "-- schemagate: migration keep_hours=1\n" EXPAND CONTRACT UNDO);
    assert_phase(w, 1, PHASE_HIDDEN);
    assert_int_equal(join_listing("old", 1000, 0, "sha256:0").problem, PROBLEM_SCHEMA_TOO_OLD);
}

/* The contract's first statement ran outside of a transaction, and the daemon died before it could write
 * that down. The next term found nothing committed and opened admission: an old replica started on the new
 * shape. */
static void test_what_ran_outside_of_transactions_keeps_admission_closed(void **state)
{
    (void)state;
    submit(w, 1, EXPAND "-- schemagate: contract\nDROP INDEX CONCURRENTLY i;\n");
    w->on_run = lose_the_session;
    join(w, "new", 0, 1);
    assert_int_equal(w->restarts, 1);
    w->on_run = NULL;
    world_restart_term(w);

    assert_window(w, 0, 1, 1, 0);
    assert_int_equal(join(w, "old", 0, 0).problem, PROBLEM_SCHEMA_TOO_OLD);
    renew(w, "new", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

static enum execution_status fail_it(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    return EXECUTION_FAILED;
}

/* Whether a step of the version is noted as begun, for a term to come. */
static bool is_announced(int64_t version)
{
    const json_t *step;
    size_t i;

    json_array_foreach(world_table(w, "steps"), i, step)
    {
        if (world_number(step, "version") == version && json_is_string(json_object_get(step, "started_at")))
            return true;
    }
    return false;
}

/* Nobody can tell what it has done: old code stays out. Where PostgreSQL was asked and it has left nothing,
 * also a later term knows that nothing is committed, and it can be given up. */
static void test_what_has_left_nothing_opens_admission(void **state)
{
    (void)state;
    submit(w, 1, EXPAND);
    submit(w, 2, "-- schemagate: contract\nDROP INDEX CONCURRENTLY i;\n");
    w->on_run = fail_it;
    join(w, "new", 0, 2);
    assert_phase(w, 2, PHASE_CONTRACTING);
    assert_window(w, 0, 2, 2, 0);
    assert_true(is_announced(2));

    w->untouched = true;
    act(w, 2, EVENT_RETRY);
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_window(w, 0, 2, 0, 0);
    assert_false(is_announced(2));
    world_restart_term(w);
    renew(w, "new", "i1");
    world_settle(w);
    assert_phase(w, 2, PHASE_EXPANDED);
    assert_window(w, 0, 2, 0, 0);
    w->on_run = NULL;
    act(w, 2, EVENT_UNDO);
    assert_phase(w, 2, PHASE_UNDONE);
}

/* A gate was open, and its fence on the way into the journal, when a registration before it closed the
 * gate again. Nobody looked for something else to begin: the expand of the next version waited for a lease
 * to end. */
static void test_a_gate_that_closes_again_keeps_nobody_waiting(void **state)
{
    (void)state;
    struct reply reply = {0};
    join(w, "new", 0, 1);
    send_submit(w, 1, EXPAND CONTRACT, &reply);
    struct call *run = hold_the_run();
    submit(w, 2, EXPAND);

    send_register(w, "old", "i1", 0, 0, &reply);
    coordinator_tick(w->c);
    struct call *commit = world_find(w, CALL_COMMIT);
    world_carry_out(w, commit);
    world_answer(w, run);
    coordinator_tick(w->c);
    w->woken = false;
    world_answer(w, commit);
    world_settle(w);
    assert_phase(w, 1, PHASE_EXPANDED);
    assert_phase(w, 2, PHASE_COMPLETE);
}

static enum commit_status refuse_commit(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    return COMMIT_FAILED;
}

/* A transaction of a migration ended while a submission was being committed, so that the next one was not
 * begun yet; then the database refused the submission, and nobody thought of the migration any more. */
static void test_a_refused_commit_keeps_nobody_waiting(void **state)
{
    (void)state;
    struct reply first = {0}, second = {0};
    send_submit(w, 1, EXPAND BACKFILL, &first);
    struct call *run = hold_the_run();
    send_submit(w, 2, EXPAND, &second);
    struct call *commit = up_to(w, CALL_COMMIT);
    world_answer(w, run);
    coordinator_tick(w->c);
    w->woken = false;
    w->on_commit = refuse_commit;
    world_answer(w, commit);
    w->on_commit = NULL;
    world_settle(w);
    assert_int_equal(second.problem, PROBLEM_DATABASE_UNAVAILABLE);
    assert_phase(w, 1, PHASE_COMPLETE);
}

/* The approval that is in the tables was given for another text, another cluster or another timeline. */
static void test_an_approval_counts_for_what_was_approved(void **state)
{
    (void)state;
    const char *const wrong[][3] = {{"another plan", "7441", "00000001"},
                                    {NULL, "1447", "00000001"},
                                    {NULL, "7441", "00000002"},
                                    {NULL, "7441", "00000001"}};
    w->config.gate.approval = (char *)"manual";
    submit(w, 1, EXPAND CONTRACT);
    join(w, "new", 0, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(has_hold(w, 1, HOLD_AWAITING_APPROVAL));
        const char *plan = wrong[i][0] ? wrong[i][0] : the_migration(w, 1)->plan_checksum;
        json_array_append_new(world_table(w, "approvals"),
                              json_pack("{s:i, s:s, s:s, s:s, s:s}", "version", 1, "plan_checksum", plan,
                                        "system_identifier", wrong[i][1], "timeline", wrong[i][2],
                                        "actor", "tester"));
        world_restart_term(w);
    }
    renew(w, "new", "i1");
    world_settle(w);
    assert_phase(w, 1, PHASE_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_does_not_list_a_contract_does_not_start_behind_it),
        TEST(test_who_does_not_list_what_is_hidden_does_not_start),
        TEST(test_what_ran_outside_of_transactions_keeps_admission_closed),
        TEST(test_what_has_left_nothing_opens_admission),
        TEST(test_a_gate_that_closes_again_keeps_nobody_waiting),
        TEST(test_a_refused_commit_keeps_nobody_waiting),
        TEST(test_an_approval_counts_for_what_was_approved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
