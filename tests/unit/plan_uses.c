/* Whether a statement uses what a contract takes away. */
#include <support/test.h>

#include <schemagate/plan/uses.h>

#include <string.h>

static const char *const words[PLAN_USES] = {"no", "unread", "whole", "named"};

static void expect(const struct plan_drop *drop, const char *sql, const char *expected)
{
    const char *found = words[plan_uses(sql, drop, 1).use];
    if (strcmp(found, expected) != 0)
        print_error("in: %s\n", sql);
    assert_string_equal(found, expected);
}

static const struct plan_drop column = {.table = (char *)"users", .column = (char *)"name"};
static const struct plan_drop placed = {
    .schema = (char *)"app", .table = (char *)"users", .column = (char *)"name"};
static const struct plan_drop table = {.table = (char *)"users"};

static void a_column_is_named_with_its_table(void **state)
{
    static const char *const uses[] = {
        "SELECT id, name FROM users WHERE id = $1",
        "SELECT u.name FROM public.users AS u",
        "SELECT id FROM users WHERE lower(name) = $1",
        "SELECT id FROM users ORDER BY name LIMIT $1",
        "SELECT (SELECT name FROM users WHERE id = o.user_id) FROM orders o",
        "SELECT o.id FROM orders o JOIN users ON o.user_id = users.id AND users.name = $1",
        "SELECT id FROM orders JOIN users USING (name)",
        "WITH x AS (SELECT id FROM users WHERE name IS NULL) SELECT id FROM x",
        "INSERT INTO users (id, name) VALUES ($1, $2)",
        "INSERT INTO users (id) VALUES ($1) ON CONFLICT (name) DO NOTHING",
        "INSERT INTO users (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET name = $2",
        "UPDATE users SET name = $1 WHERE id = $2",
        "UPDATE orders SET note = users.name FROM users WHERE users.id = user_id",
        "DELETE FROM users WHERE name = $1",
        "MERGE INTO users u USING new n ON n.id = u.id WHEN MATCHED THEN UPDATE SET name = $1",
        "COPY users (id, name) TO STDOUT",
        "DECLARE c CURSOR FOR SELECT name FROM users",
        "CREATE INDEX ON users (name)",
        "PREPARE p AS SELECT name FROM users",
    };
    (void)state;
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        expect(&column, uses[i], "named");
}

static void a_table_is_taken_as_a_whole(void **state)
{
    static const char *const uses[] = {
        "SELECT * FROM users",
        "TABLE users",
        "SELECT u.* FROM users u JOIN orders o ON o.user_id = u.id",
        "SELECT \"users\".* FROM \"users\" WHERE \"users\".\"id\" = $1",
        "SELECT row_to_json(u) FROM users u",
        "SELECT users FROM users",
        "SELECT id FROM (SELECT * FROM users) AS x",
        "SELECT a FROM users AS u (a, b)",
        "SELECT id FROM orders NATURAL JOIN users",
        "INSERT INTO users VALUES ($1, $2)",
        "INSERT INTO users SELECT id, full_name FROM old_users",
        "INSERT INTO users (id) VALUES ($1) RETURNING *",
        "UPDATE users SET full_name = $1 RETURNING *",
        "DELETE FROM users WHERE id = $1 RETURNING *",
        "COPY users FROM STDIN",
        "MERGE INTO users u USING new n ON n.id = u.id WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.n)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        expect(&column, uses[i], "whole");
}

static void others_are_left_alone(void **state)
{
    static const char *const others[] = {
        "SELECT id, full_name FROM users WHERE id = $1",
        "SELECT full_name AS name FROM users",
        "SELECT count(*) FROM users",
        "SELECT name FROM orders",
        "SELECT o.name FROM orders o JOIN users u ON u.id = o.user_id",
        "SELECT o.* FROM orders o JOIN users u ON u.id = o.user_id",
        "SELECT * FROM orders WHERE user_id IN (SELECT id FROM users)",
        "SELECT x.* FROM (SELECT id FROM users) AS x",
        "SELECT \"Name\" FROM users",
        "SELECT name FROM \"Users\"",
        "INSERT INTO users (id, full_name) VALUES ($1, $2)",
        "INSERT INTO users DEFAULT VALUES",
        "UPDATE users SET full_name = $1 WHERE id = $2",
        "UPDATE orders SET name = $1 WHERE user_id IN (SELECT id FROM users)",
        "LOCK TABLE users",
        "BEGIN",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect(&column, others[i], "no");
}

static void schemas_tell_tables_apart_where_both_have_one(void **state)
{
    (void)state;
    expect(&placed, "SELECT name FROM app.users", "named");
    expect(&placed, "SELECT name FROM users", "named");
    expect(&placed, "SELECT name FROM other.users", "no");
    expect(&column, "SELECT name FROM other.users", "named");
}

static void a_dropped_table_is_used_wherever_it_stands(void **state)
{
    (void)state;
    expect(&table, "SELECT count(*) FROM users", "named");
    expect(&table, "DELETE FROM orders USING users u WHERE u.id = user_id", "named");
    expect(&table, "TRUNCATE users", "named");
    expect(&table, "INSERT INTO users DEFAULT VALUES", "named");
    expect(&table, "SELECT users FROM orders", "no");
}

static void what_cannot_be_read_counts_by_its_words(void **state)
{
    (void)state;
    expect(&column, "SELECT name FROM users WHERE (", "unread");
    expect(&column, "SELECT NAME FROM USERS WHERE (", "unread");
    expect(&column, "SELECT * FROM users WHERE (", "unread");
    expect(&column, "SELECT id FROM users WHERE (", "no");
    expect(&column, "SELECT name FROM orders WHERE (", "no");
    expect(&table, "SELECT id FROM users WHERE (", "unread");
}

static void the_most_certain_use_is_told(void **state)
{
    const struct plan_drop drops[] = {{.table = (char *)"orders"}, column, table};
    (void)state;
    assert_int_equal(plan_uses("SELECT * FROM users", drops, 2).drop, 1);
    assert_int_equal(plan_uses("SELECT * FROM users", drops, 2).use, USE_WHOLE);
    assert_int_equal(plan_uses("SELECT * FROM users", drops, 3).drop, 2);
    assert_int_equal(plan_uses("SELECT * FROM users", drops, 3).use, USE_NAMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_named_with_its_table),
        cmocka_unit_test(a_table_is_taken_as_a_whole),
        cmocka_unit_test(others_are_left_alone),
        cmocka_unit_test(schemas_tell_tables_apart_where_both_have_one),
        cmocka_unit_test(a_dropped_table_is_used_wherever_it_stands),
        cmocka_unit_test(what_cannot_be_read_counts_by_its_words),
        cmocka_unit_test(the_most_certain_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
