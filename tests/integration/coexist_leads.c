/* Who leads where old and new shape stand side by side: each statement by which one of both is written, and
 * what both say then. */
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

/* Migration 1 makes `pair`, migration 2 changes it, and an old release holds it there. */
static void expand(struct world *world, const char *create, const char *change)
{
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, create);
    rollout_wait(client, 1, "complete");
    fleet_join(client, REPLICA("old", 1, 1));
    rollout_submit(client, 2, change);
    rollout_wait(client, 2, "expanded");
}

/* Statements of one session, and what both columns say then: "old|new". */
struct lead {
    const char *sql, *both;
};

static const struct lead leads[] = {
    {"INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair (id) VALUES (1)", "d|d"},
    {"INSERT INTO pair (id, a) VALUES (1, NULL)", "|"},
    {"INSERT INTO pair (id, b) VALUES (1, NULL)", "d|d"}, /* who says nothing gets the default */
    {"SET schemagate.version = 2; INSERT INTO pair (id, b) VALUES (1, NULL)", "|"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x"},
    {"SET schemagate.version = 2; INSERT INTO pair (id) VALUES (1)", "d|d"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"SET schemagate.version = 1; INSERT INTO pair (id, a) VALUES (1, NULL)", "|"},
    {"SET schemagate.version = 'two'; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"INSERT INTO pair VALUES (1, 'x', 'y')", "y|y"},
    {"UPDATE pair SET a = 'x' WHERE id = 0", "x|x"},
    {"UPDATE pair SET b = 'x' WHERE id = 0", "x|x"},
    {"UPDATE pair SET a = NULL WHERE id = 0", "|"},
    {"UPDATE pair SET b = NULL WHERE id = 0", "|"},
    {"UPDATE pair SET a = 'x', b = 'y' WHERE id = 0", "y|y"},
    {"SET schemagate.version = 1; UPDATE pair SET a = 'x', b = 'y' WHERE id = 0", "x|x"},
    {"UPDATE pair SET a = b, b = a WHERE id = 0", "before|before"},
    {"INSERT INTO pair (id, a) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.a", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET b = excluded.b", "x|x"},
    {"INSERT INTO pair (id, b) VALUES (0, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.b || excluded.a",
     "xx|xx"},
    {"COPY pair (id, a) FROM PROGRAM 'echo 1,x' (FORMAT csv)", "x|x"},
    {"COPY pair (id, b) FROM PROGRAM 'echo 1,x' (FORMAT csv)", "x|x"},
    {"SET session_replication_role = replica; INSERT INTO pair (id, a) VALUES (1, 'x')", "x|x"},
    {"UPDATE pair SET id = 100, a = 'x' WHERE id = 0", "x|x"}, /* it moves to the other partition */
    {"UPDATE pair SET id = 100, b = 'x' WHERE id = 0", "x|x"},
};

static void expect_leads(struct world *world, const struct lead *lead, size_t count, const char *before,
                         const char *columns)
{
    for (size_t i = 0; i < count; i++, lead++) {
        char *both;

        sql_run(world->sql, "BEGIN; TRUNCATE pair; %s", before);
        sql_run(world->sql, "%s", lead->sql);
        both = sql_text(world->sql, "SELECT %s FROM pair ORDER BY id DESC LIMIT 1", columns);
        if (strcmp(both, lead->both) != 0)
            fail_msg("%s: %s, not %s", lead->sql, both, lead->both);
        free(both);
        sql_run(world->sql, "ROLLBACK");
    }
}

static void expect_leads_of(struct world *world, const char *create)
{
    expand(world, create, "ALTER TABLE pair RENAME a TO b;");
    expect_leads(world, leads, sizeof(leads) / sizeof(leads[0]),
                 "INSERT INTO pair (id, a) VALUES (0, 'before')",
                 "concat_ws('|', coalesce(a, ''), coalesce(b, ''))");
}

static void who_writes_leads(void **state)
{
    expect_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd');");
}

static void who_writes_leads_in_partitions(void **state)
{
    expect_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd') PARTITION BY RANGE "
                            "(id);\n"
                            "CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (50);\n"
                            "CREATE TABLE pair_2 PARTITION OF pair FOR VALUES FROM (50) TO (200);");
}

/* The same for one column that becomes two: "old|new 1|new 2". */
static const struct lead split_leads[] = {
    {"INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"INSERT INTO pair (id, b, c) VALUES (1, 'x', 'y')", "x y|x|y"},
    {"INSERT INTO pair (id, b) VALUES (1, 'x')", "x|x|-"},
    {"INSERT INTO pair (id, c) VALUES (1, 'y')", "y|-|y"},
    {"INSERT INTO pair (id) VALUES (1)", "d e|d|e"},
    {"INSERT INTO pair (id, a) VALUES (1, NULL)", "-|-|-"},
    {"INSERT INTO pair (id, b, c) VALUES (1, NULL, NULL)", "d e|d|e"}, /* who says nothing gets the default */
    {"SET schemagate.version = 2; INSERT INTO pair (id, b, c) VALUES (1, NULL, NULL)", "|-|-"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, c) VALUES (1, 'y')", "n y|n|y"},
    {"SET schemagate.version = 2; INSERT INTO pair (id) VALUES (1)", "n|n|-"},
    {"SET schemagate.version = 2; INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"SET schemagate.version = 1; INSERT INTO pair (id, a) VALUES (1, NULL)", "-|-|-"},
    {"INSERT INTO pair (id, a, b, c) VALUES (1, 'x y', 'v', 'w')", "v w|v|w"},
    {"UPDATE pair SET a = 'x y' WHERE id = 0", "x y|x|y"},
    {"UPDATE pair SET b = 'x' WHERE id = 0", "x that|x|that"},
    {"UPDATE pair SET b = 'x', c = NULL WHERE id = 0", "x|x|-"},
    {"UPDATE pair SET b = NULL, c = NULL WHERE id = 0", "|-|-"},
    {"UPDATE pair SET a = NULL WHERE id = 0", "-|-|-"},
    {"UPDATE pair SET a = 'x y', b = 'v' WHERE id = 0", "v that|v|that"},
    {"SET schemagate.version = 1; UPDATE pair SET a = 'x y', b = 'v' WHERE id = 0", "x y|x|y"},
    {"INSERT INTO pair (id, a) VALUES (0, 'x y') ON CONFLICT (id) DO UPDATE SET a = excluded.a", "x y|x|y"},
    {"INSERT INTO pair (id, b, c) VALUES (0, 'x', 'y') ON CONFLICT (id) DO UPDATE SET c = excluded.c",
     "this y|this|y"},
    {"COPY pair (id, a) FROM PROGRAM 'echo 1,x y' (FORMAT csv)", "x y|x|y"},
    {"COPY pair (id, b, c) FROM PROGRAM 'echo 1,x,y' (FORMAT csv)", "x y|x|y"},
    {"SET session_replication_role = replica; INSERT INTO pair (id, a) VALUES (1, 'x y')", "x y|x|y"},
    {"UPDATE pair SET id = 100, a = 'x y' WHERE id = 0", "x y|x|y"}, /* it moves to the other partition */
    {"UPDATE pair SET id = 100, c = 'y' WHERE id = 0", "this y|this|y"},
};

static void expect_split_leads_of(struct world *world, const char *create)
{
    expand(world, create,
           "-- schemagate: split up=\"b = split_part(a, ' ', 1), c = split_part(a, ' ', 2)\" "
           "down=\"a = concat_ws(' ', b, c)\"\n"
           "ALTER TABLE pair ADD b varchar(10) DEFAULT 'n';\nALTER TABLE pair ADD c text;\n"
           "ALTER TABLE pair DROP a;\n");
    expect_leads(world, split_leads, sizeof(split_leads) / sizeof(split_leads[0]),
                 "INSERT INTO pair (id, a) VALUES (0, 'this that')",
                 "concat_ws('|', coalesce(a, '-'), coalesce(b, '-'), coalesce(c, '-'))");
}

static void who_writes_a_split_column_leads(void **state)
{
    expect_split_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd e');");
}

static void who_writes_a_split_column_leads_in_partitions(void **state)
{
    expect_split_leads_of(*state, "CREATE TABLE pair (id int PRIMARY KEY, a text DEFAULT 'd e')\n"
                                  "  PARTITION BY RANGE (id);\n"
                                  "CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (50);\n"
                                  "CREATE TABLE pair_2 PARTITION OF pair FOR VALUES FROM (50) TO (200);");
}

/* What it fails on is the daemon's own question, not the application's next write. */
static void an_expression_that_does_not_exist_harms_no_writer(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, "CREATE TABLE pair (id int PRIMARY KEY, a text);");
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, "-- schemagate: split up=\"b = splitpart(a, ' ', 1)\" down=\"a = b\"\n"
                              "ALTER TABLE pair ADD b text, DROP a;\n");
    rollout_wait_status(client, 2, "failed");
    sql_run(world->sql, "INSERT INTO pair VALUES (1, 'x')");
    assert_true(
        sql_number(world->sql, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'pair'::regclass") == 0);
}

/* Types without an operator for "=", and an expression that loses something on its way back. */
static void values_are_compared_as_they_are_stored(void **state)
{
    struct world *world = *state;
    char *both;

    expand(world,
           "CREATE TABLE pair (id int PRIMARY KEY, a json, n numeric, code text);\n"
           "INSERT INTO pair VALUES (1, '{}', 1.0, '007'), (2, NULL, NULL, NULL);",
           "ALTER TABLE pair RENAME a TO b;\nALTER TABLE pair RENAME n TO m;\n"
           "-- schemagate: using up=\"code::int\" down=\"code::text\"\n"
           "ALTER TABLE pair ALTER code TYPE int;\n");
    sql_run(world->sql, "UPDATE pair SET a = '{ }', n = 1.00 WHERE id = 1");
    both = sql_text(world->sql, "SELECT concat_ws(' ', b, m, code, code__2) FROM pair WHERE id = 1");
    assert_string_equal(both, "{ } 1.00 007 7");
    free(both);
    sql_run(world->sql, "UPDATE pair SET code__2 = 8 WHERE id = 1");
    both = sql_text(world->sql, "SELECT concat_ws(' ', code, code__2) FROM pair WHERE id = 1");
    assert_string_equal(both, "8 8");
    free(both);
}

/* With hours to keep the trigger goes on for the hidden columns, so that they can come back. `written` by new
 * code meanwhile. */
static struct world *hide_and_restore(void **state, const char *create, const char *change,
                                      const char *written)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);

    rollout_submit(client, 1, create);
    rollout_wait(client, 1, "complete");
    rollout_submit(client, 2, change);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "hidden");
    sql_run(world->sql, "%s", written);
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    return world;
}

static void expect_pairs(struct world *world, const char *query, const char *expected)
{
    char *pairs = sql_text(world->sql, "SELECT string_agg(%s, ',' ORDER BY id) FROM pair", query);

    assert_string_equal(pairs, expected);
    free(pairs);
}

static void a_renamed_column_that_is_hidden_stays_in_step(void **state)
{
    struct world *world = hide_and_restore(
        state, "CREATE TABLE pair (id int PRIMARY KEY, a text NOT NULL DEFAULT 'd');",
        "-- schemagate: migration keep_hours=1\nALTER TABLE pair RENAME a TO b;",
        "INSERT INTO pair (id, b) VALUES (1, 'x'); INSERT INTO pair (id) VALUES (2)");

    expect_pairs(world, "a || b", "xx,dd");
}

static void a_split_column_that_is_hidden_stays_in_step(void **state)
{
    struct world *world = hide_and_restore(
        state, "CREATE TABLE pair (id int PRIMARY KEY, a text NOT NULL);",
        "-- schemagate: migration keep_hours=1\n"
        "-- schemagate: split up=\"b = left(a, 1), c = substr(a, 2)\" down=\"a = b || c\"\n"
        "ALTER TABLE pair ADD b text, ADD c text NOT NULL, DROP a;",
        "INSERT INTO pair (id, b, c) VALUES (1, 'x', 'yz')");

    sql_run(world->sql, "INSERT INTO pair (id, a) VALUES (2, 'old')");
    expect_pairs(world, "concat_ws('|', a, b, c)", "xyz|x|yz,old|o|ld");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(who_writes_leads),
        world_test(who_writes_leads_in_partitions),
        world_test(who_writes_a_split_column_leads),
        world_test(who_writes_a_split_column_leads_in_partitions),
        world_test(an_expression_that_does_not_exist_harms_no_writer),
        world_test(values_are_compared_as_they_are_stored),
        world_test(a_renamed_column_that_is_hidden_stays_in_step),
        world_test(a_split_column_that_is_hidden_stays_in_step),
    };

    return world_run(tests);
}
