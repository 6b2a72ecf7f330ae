/* The life of a replica: every state with every event, written by hand from docs/design.md §3. */
#include <support/test.h>

#include <schemagate/core/replica.h>

#define W REPLICA_WAITING
#define L REPLICA_LIVE
#define O REPLICA_LOST
#define G REPLICA_GONE
#define NO REPLICA_STATES

static const enum replica_state expected[REPLICA_STATES][REPLICA_EVENTS] = {
    /*    admitted renewed expired superseded deregistered restarted attested evicted fenced unseen assumed */
    [W] = {L, W, G, G, G, G, G, G, NO, NO, NO},
    [L] = {NO, L, O, O, G, G, G, G, NO, NO, NO},
    [O] = {NO, L, O, O, G, G, G, G, G, G, G},
    [G] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
};

static void test_every_state_with_every_event(void **state)
{
    (void)state;
    for (enum replica_state from = 0; from < REPLICA_STATES; from++) {
        for (enum replica_event event = 0; event < REPLICA_EVENTS; event++) {
            enum replica_state to = NO;
            bool taken = replica_next(from, event, &to);
            if (taken != (expected[from][event] != NO) || to != expected[from][event])
                fail_msg("%s, %s: %s", replica_state_name(from), replica_event_name(event),
                         taken ? replica_state_name(to) : "refused");
        }
    }
}

/* Only somebody's word, or an operator's setting, ends one that may run. */
static void test_silence_is_not_death(void **state)
{
    enum replica_state to;
    (void)state;
    for (enum replica_state from = L; from <= O; from++) {
        assert_true(replica_next(from, REPLICA_EXPIRED, &to));
        assert_true(replica_holds(to));
        assert_true(replica_next(from, REPLICA_SUPERSEDED, &to));
        assert_true(replica_holds(to));
    }
    assert_false(replica_holds(W));
    assert_true(replica_holds(L));
    assert_true(replica_holds(O));
    assert_false(replica_holds(G));
}

static void test_a_running_replica_never_waits(void **state)
{
    (void)state;
    for (enum replica_state from = L; from <= G; from++) {
        for (enum replica_event event = 0; event < REPLICA_EVENTS; event++) {
            enum replica_state to = from;
            replica_next(from, event, &to);
            assert_int_not_equal(to, W);
        }
    }
}

static void test_names(void **state)
{
    static const char *const states[] = {"waiting", "live", "lost", "gone"};
    static const char *const reasons[] = {"deregistered", "restarted",   "attested",
                                          "evicted",      "self-fenced", "no-sessions",
                                          "assumed"};
    (void)state;
    for (enum replica_state s = 0; s < REPLICA_STATES; s++)
        assert_string_equal(replica_state_name(s), states[s]);
    for (enum replica_event e = REPLICA_DEREGISTERED; e < REPLICA_EVENTS; e++)
        assert_string_equal(replica_event_name(e), reasons[e - REPLICA_DEREGISTERED]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_with_every_event),
        cmocka_unit_test(test_silence_is_not_death),
        cmocka_unit_test(test_a_running_replica_never_waits),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
