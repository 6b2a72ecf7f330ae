/* Contracts and undos, struck at each of their failpoints. */
#include "crash_scene.h"

static void a_contract(void **state)
{
    static const struct scenario scenario = {
        .section = "contract", .end = "complete",
        .prepare = LEDGER "ALTER TABLE ledger ADD COLUMN note text;",
        .sql = "-- schemagate: contract\nALTER TABLE ledger DROP COLUMN note;\n" ENTER("contract")};
    walk(*state, &scenario, by_all);
}

static void a_contract_outside_of_transactions(void **state)
{
    static const struct scenario scenario = {
        .section = "contract", .end = "complete",
        .prepare = LEDGER "ALTER TABLE ledger ADD COLUMN note text; CREATE INDEX by_note ON ledger (note);",
        .sql = "-- schemagate: contract\nDROP INDEX CONCURRENTLY by_note;\n"
               "ALTER TABLE ledger DROP COLUMN note;\n" ENTER("contract")};
    walk(*state, &scenario, by_ours);
}

static void a_partition_that_is_detached(void **state)
{
    static const struct scenario scenario = {
        .section = "contract", .end = "complete",
        .prepare = LEDGER "CREATE TABLE loans (at int) PARTITION BY RANGE (at);"
                          "CREATE TABLE loans_1 PARTITION OF loans FOR VALUES FROM (0) TO (10);"
                          "CREATE TABLE loans_2 PARTITION OF loans FOR VALUES FROM (10) TO (20);",
        .sql = "-- schemagate: contract\nALTER TABLE loans DETACH PARTITION loans_1 CONCURRENTLY;\n"};
    struct world *world = *state;
    if (PQserverVersion(world->sql) >= 140000)
        walk(world, &scenario, by_daemon);
}

static void an_undo(void **state)
{
    static const struct scenario scenario = {
        .section = "undo", .prepare = LEDGER, .act = "undo", .end = "undone",
        .sql = "-- schemagate: expand\nALTER TABLE ledger ADD COLUMN added int;\n"
               "-- schemagate: undo\nALTER TABLE ledger DROP COLUMN added;\n" ENTER("undo")};
    walk(*state, &scenario, by_all);
}

static void an_undo_outside_of_transactions(void **state)
{
    static const struct scenario scenario = {
        .section = "undo", .act = "undo", .end = "undone",
        .prepare = LEDGER "CREATE INDEX by_entry ON ledger (entry);",
        .sql = "-- schemagate: expand\nALTER TABLE ledger ADD COLUMN added int;\n"
               "-- schemagate: undo\nDROP INDEX CONCURRENTLY by_entry;\n"
               "ALTER TABLE ledger DROP COLUMN added;\n"};
    walk(*state, &scenario, by_daemon);
}

static void every_failpoint_was_passed(void **state)
{
    (void)state;
    expect_all_reached("crash_gates");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_contract),
        world_test(a_contract_outside_of_transactions),
        world_test(a_partition_that_is_detached),
        world_test(an_undo),
        world_test(an_undo_outside_of_transactions),
        cmocka_unit_test(every_failpoint_was_passed),
    };
    return world_run(tests);
}
