/* A standby is promoted in the middle of a backfill and of an index build, and had not received the last of
 * it: the surviving daemon goes on from what the new primary has, and ends with exactly the right result. */
#include "failover_scene.h"

#define ROWS 20000 /* many batches */

/* A backfill that shows what is done twice, or not at all. */
#define COUNTS                                                                                         \
    "-- schemagate: expand\n-- schemagate: backfill\nUPDATE ledger SET times = times + 1;\n"

static void make_ledger(struct world *world)
{
    sql_run(world->sql, "CREATE TABLE ledger (id int PRIMARY KEY, times int NOT NULL DEFAULT 0); "
                        "INSERT INTO ledger SELECT generate_series(1, %d)", ROWS);
}

/* The backfill comes as far as this row, and stands. */
static PGconn *hold_row(struct world *world, int id)
{
    PGconn *holder = sql_open(world->conninfo);
    sql_run(holder, "BEGIN; SELECT * FROM ledger WHERE id = %d FOR UPDATE", id);
    return holder;
}

static void wait_until_behind(struct world *world, int id)
{
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM ledger WHERE id > %d AND times > 0)", id);
}

/* As the new primary has it: the daemon may remember what that has lost. */
static void wait_complete(struct world *world)
{
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM schemagate.migration WHERE phase = 'complete')");
}

static void a_backfill_goes_on_from_what_the_new_primary_has(void **state)
{
    struct world *world = *state;
    make_ledger(world);
    struct http_client *client = begin_with_standby(world, NULL);

    PGconn *first = hold_row(world, 10000), *second = hold_row(world, 19000);
    rollout_submit(client, 1, COUNTS);
    wait_until_behind(world, 100);
    cut_off_standby(world);
    PQfinish(first);
    wait_until_behind(world, 10000); /* lost */
    fail_over(world, client, NULL);
    PQfinish(second);
    wait_complete(world);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM ledger WHERE times = 1"), ROWS);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.step WHERE state <> 'done'"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind = 'migration.complete'"), 1);
    end_with_standby(world);
}

/* The standby has the index as it was in mid-build, which is INVALID, and the note of its step. */
static void an_index_that_was_half_built_is_built_anew(void **state)
{
    struct world *world = *state;
    make_ledger(world);
    struct http_client *client = begin_with_standby(world, NULL);
    PGconn *reader = sql_open(world->conninfo);

    sql_run(reader, "BEGIN; UPDATE ledger SET times = times WHERE id = 1");
    rollout_submit(client, 1, "-- schemagate: expand\n"
                              "CREATE INDEX CONCURRENTLY by_times ON ledger (times);\n"
                              "ALTER TABLE ledger ADD COLUMN added int;\n");
    sql_wait(world->sql, "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('by_times') "
                         "AND NOT indisvalid)");
    cut_off_standby(world);
    PQfinish(reader);
    rollout_wait(client, 1, "complete"); /* lost */
    fail_over(world, client, NULL);
    wait_complete(world);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index WHERE indisvalid AND "
                                "indexrelid = 'by_times'::regclass"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_index "
                                "WHERE indrelid = 'ledger'::regclass"), 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                "WHERE kind = 'migration.complete'"), 1);
    end_with_standby(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_backfill_goes_on_from_what_the_new_primary_has),
        world_test(an_index_that_was_half_built_is_built_anew),
    };
    return world_run(tests);
}
