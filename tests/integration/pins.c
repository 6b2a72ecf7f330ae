/* Session pins against fences that are committed at the same moment, thousands of times: either the look that
 * follows the fence sees the pin, or the pin is refused. On the primary under each isolation level, and on a
 * streaming standby. PIN_ROUNDS in the environment sets how many rounds each test has. */
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PRIMARY_ROUNDS 1000
#define STANDBY_ROUNDS 500
#define LONGEST_LEAD_NS 400000 /* by which one of both is ahead */
#define LONGEST_REPLAY_NS 1500000 /* a fence takes so long to reach the standby */

static struct cluster standby;

static int open_both(void **state)
{
    world_open(state);
    cluster_open_standby(&standby, &((struct world *)*state)->cluster);
    return 0;
}

static int close_both(void **state)
{
    cluster_close(&standby);
    return world_close(state);
}

/* ---- the stage: the schema and the term of a daemon that has ended, played on by the test ---- */

struct stage {
    PGconn *coordinator, *app; /* the app may be on the standby */
    PGconn *witness;           /* on the app's server */
    bool on_standby;
    const char *begin;         /* of the application's transaction; NULL: none */
};

/* One thing that may be taken away, and a pin that needs it. */
static const struct contest {
    const char *close, *open; /* the window's members */
    const char *pin;
    const char *seen; /* whether the lock table shows a pin that needs it */
} contests[] = {
    {"\"contracting\": 42", "\"contracting\": null", "SELECT schemagate.pin(40, 41)",
     "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
     "classid::bigint >> 16 = x'5348'::bigint AND objid::bigint < 42)"},
    {"\"undoing\": 42", "\"undoing\": null", "SELECT schemagate.pin(42, 43)",
     "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
     "classid::bigint >> 16 = x'5349'::bigint AND objid::bigint > 41)"},
};

static void write_window(PGconn *session, const char *members)
{
    sql_run(session, "SELECT schemagate.commit(epoch, nonce, 0, '{\"window\": {%s}}') "
                     "FROM schemagate.coordinator", members);
}

static void settle(PGconn *session)
{
    sql_run(session, "SELECT schemagate.settle_markers()");
}

static void wait_for_replay(struct stage *stage)
{
    if (!stage->on_standby)
        return;
    char *lsn = sql_text(stage->coordinator, "SELECT pg_current_wal_flush_lsn()");
    while (sql_number(stage->witness, "SELECT (pg_last_wal_replay_lsn() >= '%s')::int", lsn) == 0)
        ;
    free(lsn);
}

/* Looks at the locks, on a standby in the very moment in which it has replayed the fence. */
static bool is_seen(struct stage *stage, const struct contest *contest)
{
    if (!stage->on_standby)
        return sql_number(stage->witness, "SELECT (%s)::int", contest->seen) == 1;
    char *lsn = sql_text(stage->coordinator, "SELECT pg_current_wal_flush_lsn()");
    int64_t seen;
    do
        seen = sql_number(stage->witness, "WITH at AS MATERIALIZED (SELECT pg_last_wal_replay_lsn() AS lsn) "
                                          "SELECT CASE WHEN lsn < '%s' THEN -1 ELSE (%s)::int END FROM at",
                          lsn, contest->seen);
    while (seen < 0);
    free(lsn);
    return seen == 1;
}

static void stage_open(struct world *world, struct stage *stage, bool on_standby, const char *begin)
{
    char there[CLUSTER_CONNINFO_SIZE], as_app[CLUSTER_CONNINFO_SIZE + 32];
    struct daemon *daemon = world_daemon(world, NULL);

    daemon_stop(daemon);
    sql_run(world->sql, "SET client_min_messages = error; DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN");
    cluster_conninfo(on_standby ? &standby : &world->cluster, PQdb(world->sql), there);
    snprintf(as_app, sizeof as_app, "%s user=app", there);
    *stage = (struct stage){.coordinator = world->sql, .on_standby = on_standby, .begin = begin};
    write_window(world->sql, "\"floor\": 40, \"ceiling\": 42");
    sql_run(world->sql, "INSERT INTO schemagate.migration (version, checksum, plan_checksum, sql, phase) "
                        "VALUES (40, '', '', '', 'complete'), (41, '', '', '', 'expanded'), "
                        "(42, '', '', '', 'expanded')");
    settle(world->sql);
    if (on_standby) { /* the database has to be there before anyone can connect to it */
        char postgres[CLUSTER_CONNINFO_SIZE];
        cluster_conninfo(&standby, "postgres", postgres);
        stage->witness = sql_open(postgres);
        wait_for_replay(stage);
        PQfinish(stage->witness);
    }
    stage->witness = sql_open(there);
    stage->app = sql_open(as_app);
}

static void stage_close(struct stage *stage)
{
    PQfinish(stage->app);
    PQfinish(stage->witness);
}

/* ---- a round ---- */

static void spin(long nanoseconds)
{
    struct timespec now, until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += nanoseconds;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
}

static void ask(PGconn *session, const char *text)
{
    if (PQsendQuery(session, text) != 1 || PQflush(session) != 0)
        test_fail("%s: %s", text, PQerrorMessage(session));
}

/* The SQLSTATE of the answer, "" for none. */
static void take(PGconn *session, char state[6])
{
    PGresult *result;
    state[0] = '\0';
    while ((result = PQgetResult(session))) {
        const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (found)
            snprintf(state, 6, "%s", found);
        PQclear(result);
    }
}

struct tally {
    int pinned, refused;
};

static void play(struct stage *stage, const struct contest *contest, struct tally *tally)
{
    char close[256], fenced[6], pinned[6];
    long lead = stage->on_standby ? random() % LONGEST_REPLAY_NS
                                  : random() % (2 * LONGEST_LEAD_NS) - LONGEST_LEAD_NS;

    snprintf(close, sizeof close, "SELECT schemagate.commit(epoch, nonce, 0, '{\"window\": {%s}}') "
                                  "FROM schemagate.coordinator", contest->close);
    if (stage->begin)
        sql_run(stage->app, "%s; SELECT count(*) FROM pg_class", stage->begin);
    PGconn *first = lead < 0 ? stage->app : stage->coordinator;
    ask(first, lead < 0 ? contest->pin : close);
    spin(labs(lead));
    ask(first == stage->app ? stage->coordinator : stage->app, lead < 0 ? close : contest->pin);
    take(stage->coordinator, fenced);
    assert_string_equal(fenced, "");
    bool seen = is_seen(stage, contest);
    take(stage->app, pinned);
    if (!*pinned && !seen)
        test_fail("a pin was granted that the look after the fence did not see");
    if (*pinned && strcmp(pinned, "SG003") != 0)
        test_fail("the pin failed with %s", pinned);
    *(*pinned ? &tally->refused : &tally->pinned) += 1;
    if (stage->begin)
        sql_run(stage->app, "ROLLBACK");
    sql_run(stage->app, "SELECT schemagate.unpin()");
    write_window(stage->coordinator, contest->open);
    settle(stage->coordinator);
    wait_for_replay(stage);
}

static void contend(struct world *world, bool on_standby, const char *begin)
{
    const char *asked = getenv("PIN_ROUNDS");
    int rounds = asked ? atoi(asked) : on_standby ? STANDBY_ROUNDS : PRIMARY_ROUNDS;
    struct stage stage;
    struct tally tally = {0};

    srandom(1);
    stage_open(world, &stage, on_standby, begin);
    for (int round = 0; round < rounds; round++)
        play(&stage, &contests[round % 2], &tally);
    print_message("%d rounds: %d pins were seen, %d refused\n", rounds, tally.pinned, tally.refused);
    assert_int_equal(sql_number(stage.witness, "SELECT count(*) FROM pg_locks "
                                               "WHERE locktype = 'advisory'"), 0);
    assert_true(tally.pinned > 0);
    assert_true(tally.refused > 0);
    stage_close(&stage);
}

static void a_pin_and_a_fence_never_miss_each_other(void **state)
{
    contend(*state, false, NULL);
}

static void nor_under_an_old_snapshot(void **state)
{
    contend(*state, false, "BEGIN ISOLATION LEVEL REPEATABLE READ");
}

static void nor_in_a_read_only_transaction(void **state)
{
    contend(*state, false, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

static void nor_in_a_serializable_transaction(void **state)
{
    contend(*state, false, "BEGIN ISOLATION LEVEL SERIALIZABLE");
}

static void nor_on_a_standby(void **state)
{
    contend(*state, true, NULL);
}

static void nor_on_a_standby_under_an_old_snapshot(void **state)
{
    contend(*state, true, "BEGIN ISOLATION LEVEL REPEATABLE READ");
}

/* Chance seldom strikes between the two: here the pin waits for its lock while the fence comes. */
static void a_pin_looks_at_the_markers_behind_its_locks(void **state)
{
    struct world *world = *state;
    struct stage stage;
    char answer[6];

    stage_open(world, &stage, false, NULL);
    PGconn *holder = sql_open(world->conninfo);
    sql_run(holder, "SELECT pg_advisory_lock(x'5348'::bigint << 48 | 41)");
    ask(stage.app, contests[0].pin);
    sql_wait(stage.witness, "SELECT EXISTS (SELECT FROM pg_locks "
                            "WHERE locktype = 'advisory' AND NOT granted)");
    write_window(stage.coordinator, contests[0].close);
    PQfinish(holder);
    take(stage.app, answer);
    assert_string_equal(answer, "SG003");
    stage_close(&stage);
}

/* What pins must not do: read the row. The same snapshot that made them miss the fence is at hand. */
static void the_row_itself_would_miss_the_fence(void **state)
{
    struct stage stage;

    stage_open(*state, &stage, false, NULL);
    sql_run(stage.witness, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class");
    write_window(stage.coordinator, contests[0].close);
    assert_int_equal(sql_number(stage.witness, "SELECT contracting FROM schemagate.window"), 0);
    assert_int_equal(sql_number(stage.witness, "SELECT last_value FROM schemagate.marker_contracting"), 42);
    sql_run(stage.witness, "ROLLBACK");
    stage_close(&stage);
}

/* A standby that is promoted has the markers of what it had received: never more open than its window. */
static void the_markers_of_a_promoted_standby_fit_its_window(void **state)
{
    struct world *world = *state;
    struct stage stage;

    stage_open(world, &stage, true, NULL);
    write_window(stage.coordinator, contests[0].close);
    wait_for_replay(&stage);
    cluster_promote(&standby);
    assert_int_equal(sql_number(stage.witness, "SELECT contracting FROM schemagate.window"), 42);
    char s[6];
    assert_string_equal(sql_try(stage.app, s, "%s", contests[0].pin), "SG003");
    sql_run(stage.witness, "SELECT schemagate.settle_markers()");
    assert_string_equal(sql_try(stage.app, s, "%s", contests[0].pin), "SG003");
    assert_string_equal(sql_try(stage.app, s, "SELECT schemagate.pin(40, 42)"), "00000");
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_pin_and_a_fence_never_miss_each_other),
        world_test(nor_under_an_old_snapshot),
        world_test(nor_in_a_read_only_transaction),
        world_test(nor_in_a_serializable_transaction),
        world_test(nor_on_a_standby),
        world_test(nor_on_a_standby_under_an_old_snapshot),
        world_test(a_pin_looks_at_the_markers_behind_its_locks),
        world_test(the_row_itself_would_miss_the_fence),
        world_test(the_markers_of_a_promoted_standby_fit_its_window), /* last: there is one standby */
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_both, close_both);
}
