/* Contracts that hide before they drop: the way there, back, and out, on a real server. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define KEEP "-- schemagate: migration keep_hours=1\n"

/* Old code says name, new code says full_name; a trigger keeps both in step, as in the demo. */
#define CREATE_CUSTOMER                                                                                \
    "-- schemagate: expand\n"                                                                          \
    "CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n"   \
    "INSERT INTO customer (name) VALUES ('Ada'), ('Grace');\n"

#define IN_STEP                                                                                        \
    "-- schemagate: expand\n"                                                                          \
    "ALTER TABLE customer ADD COLUMN full_name text;\n"                                                \
    "CREATE FUNCTION names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN -- name and full_name\n"     \
    " IF TG_OP = 'INSERT' THEN NEW.full_name := coalesce(NEW.full_name, NEW.name);\n"                  \
    "  new . \"name\" := coalesce(NEW.name, NEW.full_name);\n"                                         \
    " ELSIF NEW.full_name IS DISTINCT FROM OLD.full_name THEN NEW.name := NEW.full_name; END IF;\n"    \
    " RETURN NEW; END $$;\n"                                                                           \
    "CREATE TRIGGER names BEFORE INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION names();\n" \
    "-- schemagate: backfill\nUPDATE customer SET full_name = name;\n"

#define DROP_IN_STEP                                                                                   \
    "-- schemagate: contract\n"                                                                        \
    "DROP TRIGGER names ON customer;\nDROP FUNCTION names();\n"                                        \
    "ALTER TABLE customer DROP COLUMN name, ALTER COLUMN full_name SET NOT NULL;\n"

#define DROP_NAME                                                                                      \
    KEEP "-- schemagate: expand\n"                                                                     \
         "ALTER TABLE customer ADD COLUMN full_name text;\n"                                           \
         "-- schemagate: backfill\nUPDATE customer SET full_name = name;\n"                            \
         "-- schemagate: contract\n"                                                                   \
         "-- schemagate: allow still-required reason=\"new code inserts later\"\n"                     \
         "ALTER TABLE customer DROP COLUMN name;\n"

#define HAS_NAME                                                                                       \
    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attname = 'name'"
#define NAME_IS_NOT_NULL                                                                               \
    "SELECT attnotnull::int FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attname = 'name'"

static struct http_client *hide_with(struct world *world, const struct daemon_options *options,
                                     const char *first, const char *second)
{
    struct http_client *client = &world_daemon(world, options)->client;

    rollout_submit(client, 1, first);
    rollout_submit(client, 2, second);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "hidden");
    return client;
}

static struct http_client *hide(struct world *world, const char *second)
{
    return hide_with(world, NULL, CREATE_CUSTOMER, second);
}

/* The elapsed time is what is stored: a second is left of the hour when the next term begins. */
static struct http_client *let_the_time_pass(struct world *world, int64_t max)
{
    daemon_stop(&world->daemons[world->daemon_count - 1]);
    sql_run(world->sql, "UPDATE schemagate.migration SET soak_elapsed_ms = 3599000 WHERE version = 2");
    struct http_client *client = world_client(world);
    fleet_join(client, REPLICA("new", 1, max));
    return client;
}

static void old_code_finds_a_hidden_column_no_more(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);
    char s[6];

    rollout_expect_phase(client, 2, "hidden", "waiting");
    rollout_expect_window(client, 2, 2);
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 409, "schema-too-old");
    assert_string_equal(sql_try(world->sql, s, "SELECT name FROM customer"), "42703");
    sql_run(world->sql, "INSERT INTO customer (full_name) VALUES ('Joan')");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/summary"), "can be restored for "));
    assert_string_equal(json_text_at(answer->json, "/hidden/0/relation"), "customer");
    assert_string_equal(json_text_at(answer->json, "/hidden/0/column"), "name");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event WHERE version = 2 AND "
                                            "kind = 'migration.hidden' AND "
                                            "data->'hidden'->0->>'column' = 'name'"), 1);
}

static void a_restored_column_has_its_data_and_old_code_may_start(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);

    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    rollout_expect_phase(client, 2, "expanded", "paused");
    rollout_expect_window(client, 0, 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer "
                                            "WHERE name IN ('Ada', 'Grace')"), 2);
    assert_int_equal(sql_number(world->sql, NAME_IS_NOT_NULL), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_constraint WHERE "
                                            "conrelid = 'customer'::regclass AND contype = 'c'"), 0);
    expect_answer(fleet_register(client, REPLICA("old", 1, 1)), 201, NULL);
    assert_int_equal(json_array_size(json_at(rollout_get(client, 2)->json, "/hidden")), 0);

    /* The contract may run again: it waits for the operator, then for the replica. */
    rollout_act(client, 2, "resume");
    rollout_wait_hold(client, 2, "replica-behind");
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait(client, 2, "hidden");
    assert_int_equal(sql_number(world->sql, HAS_NAME), 0);
    rollout_expect_window(client, 2, 2);
}

static void rows_without_a_value_leave_the_column_nullable_which_is_said(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);

    sql_run(world->sql, "INSERT INTO customer (full_name) VALUES ('Joan'), ('Mary'), ('Jean')");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, NAME_IS_NOT_NULL), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer WHERE name IS NULL"), 3);
    const struct http_answer *answer = rollout_get(client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/hidden/0/note"), "3 rows have no value"));
    assert_non_null(strstr(json_text_at(answer->json, "/summary"), "3 rows have no value"));
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event WHERE version = 2 AND "
                                            "data->'hidden'->0->>'note' LIKE '3 rows have no value%%'"), 1);
}

/* New rows had to have a value, and have to have one again; of those that were there nobody claimed it. */
static void a_not_null_that_is_not_valid_comes_back_as_it_was(void **state)
{
    struct world *world = *state;
    if (PQserverVersion(world->sql) < 180000) /* which brought it */
        return;
    struct http_client *client = hide_with(world, NULL,
        "-- schemagate: expand\nCREATE TABLE customer (id int PRIMARY KEY, name text);\n"
        "INSERT INTO customer VALUES (1, NULL), (2, 'Grace');\n"
        "-- schemagate: allow unparsed reason=\"PostgreSQL 18\"\n"
        "ALTER TABLE customer ADD NOT NULL name NOT VALID;\n",
        KEEP "-- schemagate: contract\n"
        "-- schemagate: allow still-required reason=\"new code inserts later\"\n"
        "ALTER TABLE customer DROP COLUMN name;\n");
    char s[6];

    sql_run(world->sql, "INSERT INTO customer VALUES (3)");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated AND "
                                            "conrelid = 'customer'::regclass AND contype = 'n'"), 1);
    assert_string_equal(sql_try(world->sql, s, "INSERT INTO customer VALUES (4, NULL)"), "23502");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer WHERE name IS NULL"), 2);
}

static void columns_are_kept_in_step_while_one_is_hidden(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, KEEP IN_STEP DROP_IN_STEP);

    sql_run(world->sql, "INSERT INTO customer (full_name) VALUES ('Joan')");
    sql_run(world->sql, "UPDATE customer SET full_name = 'Grace H.' WHERE full_name = 'Grace'");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer WHERE name = full_name"), 3);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer WHERE name = 'Grace H.'"), 1);
    assert_int_equal(sql_number(world->sql, NAME_IS_NOT_NULL), 1);
    sql_run(world->sql, "INSERT INTO customer (name) VALUES ('Edith')");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer WHERE full_name = 'Edith'"), 1);
}

static void the_purge_comes_by_itself_once_the_time_is_over(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, KEEP IN_STEP DROP_IN_STEP);

    client = let_the_time_pass(world, 2);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_attribute WHERE attrelid = "
                                            "'customer'::regclass AND attnum > 0 AND NOT attisdropped"), 2);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_proc WHERE proname = 'names'"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT attnotnull::int FROM pg_attribute WHERE attrelid = "
                                            "'customer'::regclass AND attname = 'full_name'"), 1);
    assert_int_equal(world_rows(world, "hidden"), 0);
    rollout_expect_window(client, 2, 2);
    const struct http_answer *answer = http_call(client, "POST", NULL, "/v1/migrations/2/restore");
    expect_answer(answer, 409, "invalid-transition");
}

static void a_pause_puts_the_purge_off(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);

    rollout_act(client, 2, "pause");
    client = let_the_time_pass(world, 2);
    rollout_wait_hold(client, 2, "paused");
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (rollout_has_hold(client, 2, "soaking") && test_now_ms() < deadline)
        test_pause();
    rollout_expect_phase(client, 2, "hidden", "paused");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    rollout_expect_window(client, 0, 2);
}

/* A replica that is lost holds the purge as it would hold the contract. */
static void an_empty_fleet_holds_the_purge(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);

    expect_answer(fleet_leave(client, REPLICA("new", 1, 2)), 204, NULL);
    daemon_stop(&world->daemons[0]);
    sql_run(world->sql, "UPDATE schemagate.migration SET soak_elapsed_ms = 3600000 WHERE version = 2");
    client = world_client(world);
    rollout_wait_hold(client, 2, "fleet-missing");
    rollout_expect_phase(client, 2, "hidden", "waiting");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "complete");
}

static void a_later_contract_ends_the_way_back(void **state)
{
    struct world *world = *state;
    struct http_client *client = hide(world, DROP_NAME);

    rollout_submit(client, 3, "-- schemagate: contract\nALTER TABLE customer DROP COLUMN id;\n");
    fleet_join(client, REPLICA("new", 1, 3));
    rollout_wait(client, 3, "complete");
    const struct http_answer *answer = http_call(client, "POST", NULL, "/v1/migrations/2/restore");
    expect_answer(answer, 409, "invalid-transition");
    assert_non_null(strstr(json_text_at(answer->json, "/detail"), "a later contract"));
    client = let_the_time_pass(world, 3);
    rollout_wait(client, 2, "complete");
    rollout_expect_window(client, 3, 3);
}

#define WITH_CHILDREN                                                                                  \
    "-- schemagate: expand\n"                                                                          \
    "CREATE TABLE customer (id int PRIMARY KEY, name text);\n"                                         \
    "CREATE TABLE orders (id int, customer int\n"                                                      \
    " CONSTRAINT of_customer REFERENCES customer ON DELETE CASCADE);\n"                                \
    "INSERT INTO customer VALUES (1, 'Ada');\nINSERT INTO orders VALUES (1, 1);\n"

#define DROP_CUSTOMER                                                                                  \
    KEEP "-- schemagate: contract\nALTER TABLE orders DROP CONSTRAINT of_customer;\nDROP TABLE customer;\n"

/* New code goes on writing to a table whose foreign key is dropped by the purge only. */
static void a_table_is_hidden_with_its_foreign_keys_and_comes_back(void **state)
{
    struct world *world = *state;
    char s[6];
    struct http_client *client = hide_with(world, NULL, WITH_CHILDREN, DROP_CUSTOMER);

    assert_string_equal(sql_try(world->sql, s, "SELECT * FROM customer"), "42P01");
    sql_run(world->sql, "INSERT INTO orders VALUES (2, 1)");
    assert_string_equal(sql_try(world->sql, s, "INSERT INTO orders VALUES (3, 7)"), "23503");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer"), 1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE "
                                            "'schemagate_hidden%%'"), 0);
    rollout_act(client, 2, "resume");
    rollout_wait(client, 2, "hidden");
    client = let_the_time_pass(world, 2);
    rollout_wait(client, 2, "complete");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE relname = 'customer'"), 0);
    sql_run(world->sql, "INSERT INTO orders VALUES (3, 7)");
}

/* ---- taking privileges instead, and the role of migrations ---- */

#define REVOKE                                                                                         \
    KEEP "-- schemagate: contract hide=revoke\nALTER TABLE customer DROP COLUMN name;\nDROP TABLE old;\n"

/* Roles belong to the cluster: each test makes those that it needs anew. */
static void make_roles(struct world *world)
{
    sql_run(world->sql, "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    sql_run(world->sql, "DO $$ BEGIN CREATE ROLE mover; EXCEPTION WHEN duplicate_object THEN END $$");
    sql_run(world->sql, "GRANT CREATE, USAGE ON SCHEMA public TO mover");
}

static void privileges_are_taken_and_given_back(void **state)
{
    struct world *world = *state;
    char s[6];

    make_roles(world);
    struct http_client *client = &world_daemon(world, NULL)->client;
    rollout_submit(client, 1, "-- schemagate: expand\n"
                              "CREATE TABLE customer (id int, name text, mail text);\n"
                              "CREATE TABLE old (id int);\n"
                              "INSERT INTO customer VALUES (1, 'Ada', 'a@b');\n"
                              "GRANT SELECT, INSERT, UPDATE ON customer TO app;\n"
                              "GRANT SELECT (mail) ON customer TO app;\n"
                              "GRANT SELECT, DELETE ON old TO app;\n");
    rollout_submit(client, 2, REVOKE);
    rollout_wait(client, 2, "expanded");
    PGconn *reader = sql_open(world->conninfo); /* has read the table, and holds its lock */
    sql_run(reader, "BEGIN; SELECT * FROM customer; SELECT * FROM old");
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait(client, 2, "hidden");
    sql_run(reader, "COMMIT");
    PQfinish(reader);

    sql_run(world->sql, "SET ROLE app");
    assert_string_equal(sql_try(world->sql, s, "SELECT name FROM customer"), "42501");
    assert_string_equal(sql_try(world->sql, s, "UPDATE customer SET name = 'x'"), "42501");
    assert_string_equal(sql_try(world->sql, s, "SELECT * FROM old"), "42501");
    assert_string_equal(sql_try(world->sql, s, "DELETE FROM old"), "42501");
    assert_int_equal(sql_number(world->sql, "SELECT count(id) FROM customer WHERE mail = 'a@b'"), 1);
    sql_run(world->sql, "INSERT INTO customer (id, mail) VALUES (2, 'c@d'); RESET ROLE");

    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    sql_run(world->sql, "SET ROLE app; SELECT * FROM customer; SELECT * FROM old; DELETE FROM old; "
                        "RESET ROLE");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_attribute WHERE attrelid = "
                                            "'customer'::regclass AND attacl <> '{}'"), 1);

    rollout_act(client, 2, "resume");
    rollout_wait(client, 2, "hidden");
    client = let_the_time_pass(world, 2);
    rollout_wait(client, 2, "complete");
    sql_run(world->sql, "ALTER TABLE customer ADD COLUMN fresh int; SET ROLE app; "
                        "SELECT fresh FROM customer; RESET ROLE");
}

static void privileges_that_come_from_elsewhere_are_refused(void **state)
{
    struct world *world = *state;

    if (PQserverVersion(world->sql) < 140000) /* which brought pg_read_all_data */
        skip();
    make_roles(world);
    sql_run(world->sql, "GRANT pg_read_all_data TO app");
    struct http_client *client = &world_daemon(world, NULL)->client;
    rollout_submit(client, 1, "-- schemagate: expand\n"
                              "CREATE TABLE customer (id int, name text);\nCREATE TABLE old (id int);\n");
    rollout_wait(client, 1, "complete"); /* what is read next may depend on what is there */
    rollout_submit(client, 2, REVOKE);
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/error/message"), "hide=revoke has no effect"));
    assert_string_equal(json_text_at(answer->json, "/phase"), "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_class WHERE oid = 'customer'::regclass "
                                            "AND relacl IS NOT NULL"), 0);
    sql_run(world->sql, "REVOKE pg_read_all_data FROM app");
}

static void the_role_of_migrations_hides_and_restores_what_it_owns(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_MIGRATION_RUN_AS=mover", NULL};
    char s[6];

    make_roles(world);
    struct daemon_options options = {.environment = environment};
    struct http_client *client =
        hide_with(world, &options, WITH_CHILDREN,
                  KEEP "-- schemagate: contract\nALTER TABLE orders DROP COLUMN id;\nDROP TABLE customer;\n");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.hidden"), 2);
    sql_run(world->sql, "GRANT INSERT ON orders TO app; SET ROLE app; "
                        "INSERT INTO orders (customer) VALUES (1)");
    assert_string_equal(sql_try(world->sql, s, "SELECT schemagate.restore_table(2, 'customer')"), "42501");
    sql_run(world->sql, "RESET ROLE");
    rollout_act(client, 2, "restore");
    rollout_wait(client, 2, "expanded");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM customer JOIN orders "
                                            "ON customer = customer.id"), 2);
}

/* Somebody else's function that cannot follow is no surprise for new code. */
static void a_function_that_cannot_follow_stops_the_contract(void **state)
{
    struct world *world = *state;
    struct http_client *client = &world_daemon(world, NULL)->client;

    rollout_submit(client, 1, CREATE_CUSTOMER
                   "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
                   " PERFORM to_jsonb(NEW) ->> 'name'; RETURN NEW; END $$;\n"
                   "CREATE TRIGGER note BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION note();\n");
    rollout_submit(client, 2, DROP_NAME);
    fleet_join(client, REPLICA("new", 1, 2));
    rollout_wait_status(client, 2, "failed");
    const struct http_answer *answer = rollout_get(client, 2);
    assert_non_null(strstr(json_text_at(answer->json, "/error/message"), "note()"));
    rollout_expect_window(client, 0, 2);
    assert_int_equal(sql_number(world->sql, HAS_NAME), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(old_code_finds_a_hidden_column_no_more),
        world_test(a_restored_column_has_its_data_and_old_code_may_start),
        world_test(rows_without_a_value_leave_the_column_nullable_which_is_said),
        world_test(a_not_null_that_is_not_valid_comes_back_as_it_was),
        world_test(columns_are_kept_in_step_while_one_is_hidden),
        world_test(the_purge_comes_by_itself_once_the_time_is_over),
        world_test(a_pause_puts_the_purge_off),
        world_test(an_empty_fleet_holds_the_purge),
        world_test(a_later_contract_ends_the_way_back),
        world_test(a_table_is_hidden_with_its_foreign_keys_and_comes_back),
        world_test(privileges_are_taken_and_given_back),
        world_test(privileges_that_come_from_elsewhere_are_refused),
        world_test(the_role_of_migrations_hides_and_restores_what_it_owns),
        world_test(a_function_that_cannot_follow_stops_the_contract),
    };
    return world_run_in_lanes(2, tests);
}
