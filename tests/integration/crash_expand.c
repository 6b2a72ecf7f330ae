/* Expands, statements outside of transactions and backfills, struck at each of their failpoints. */
#include "crash_scene.h"

static void an_expand_of_one_transaction(void **state)
{
    static const struct scenario scenario = {
        .section = "expand", .prepare = LEDGER, .end = "complete",
        .sql = "-- schemagate: expand\nALTER TABLE ledger ADD COLUMN added int;\n" ENTER("expand")};
    walk(*state, &scenario, by_all);
}

static void an_expand_of_several_transactions(void **state)
{
    static const struct scenario scenario = {
        .section = "expand", .prepare = LEDGER, .end = "complete",
        .sql = "-- schemagate: expand atomic=no\nALTER TABLE ledger ADD COLUMN added int;\n" ENTER("expand")
               "CREATE TABLE other (id int);\n"};
    walk(*state, &scenario, by_daemon);
}

#define INDEX \
    "-- schemagate: expand\nCREATE INDEX CONCURRENTLY by_entry ON ledger (entry);\n" ENTER("expand")

static void an_index_that_is_built_concurrently(void **state)
{
    static const struct scenario scenario = {
        .section = "expand", .prepare = LEDGER, .end = "complete", .sql = INDEX};
    walk(*state, &scenario, by_all);
}

/* As a crash in the middle of the build leaves it. */
static void an_index_that_was_left_invalid(void **state)
{
    static const struct scenario scenario = {.section = "expand", .prepare = LEDGER, .end = "complete",
                                             .sql = INDEX, .before = "alone-ran=kill",
                                             .then = "UPDATE pg_index SET indisvalid = false "
                                                     "WHERE indexrelid = 'by_entry'::regclass"};
    walk(*state, &scenario, by_ours);
}

static void an_index_that_is_built_anew(void **state)
{
    static const struct scenario scenario = {
        .section = "expand", .prepare = LEDGER "CREATE INDEX by_entry ON ledger (entry);", .end = "complete",
        .sql = "-- schemagate: expand\nREINDEX INDEX CONCURRENTLY by_entry;\n"};
    walk(*state, &scenario, by_daemon);
}

static void a_backfill(void **state)
{
    static const struct scenario scenario = {
        .section = "backfill", .prepare = LEDGER ENTER("second"), .end = "complete",
        .sql = "-- schemagate: expand\nALTER TABLE ledger ADD COLUMN added int;\n"
               "-- schemagate: backfill\nUPDATE ledger SET entry = entry || '!';\n"};
    walk(*state, &scenario, by_all);
}

static void every_failpoint_was_passed(void **state)
{
    (void)state;
    expect_all_reached("crash_expand");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(an_expand_of_one_transaction),
        world_test(an_expand_of_several_transactions),
        world_test(an_index_that_is_built_concurrently),
        world_test(an_index_that_was_left_invalid),
        world_test(an_index_that_is_built_anew),
        world_test(a_backfill),
        cmocka_unit_test(every_failpoint_was_passed),
    };
    return world_run(tests);
}
