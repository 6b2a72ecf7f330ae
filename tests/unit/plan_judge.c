/* What the catalog's facts change: what is free, what is refused, and what a finding says. */
#include "plan_expect.h"

#include <schemagate/plan/catalog.h>

/* A table of two million books, with all that can hang on one. */
static struct catalog_column columns[] = {
    {.name = "id",
     .type = "bigint",
     .collation = "",
     .identity = "",
     .options = "",
     .not_null = true,
     .number = 1},
    {.name = "title",
     .type = "character varying(20)",
     .collation = "",
     .identity = "",
     .options = "",
     .number = 2},
    {.name = "price", .type = "numeric(8,2)", .collation = "", .identity = "", .options = "", .number = 3},
    {.name = "isbn",
     .type = "text",
     .collation = "",
     .identity = "",
     .options = "",
     .not_null = true,
     .number = 4},
    {.name = "seen",
     .type = "timestamp(3) without time zone",
     .collation = "",
     .identity = "",
     .options = "",
     .number = 5},
    {.name = "shelf",
     .type = "text",
     .collation = "",
     .identity = "",
     .options = "",
     .not_null = true,
     .unproved = "shelf_given",
     .number = 6},
};

static struct catalog_index indexes[] = {
    {.name = "books_id",
     .definition = "",
     .columns = (int[]){1},
     .column_count = 1,
     .unique = true,
     .valid = true},
    {.name = "books_title",
     .definition = "",
     .columns = (int[]){2},
     .column_count = 1,
     .unique = true,
     .valid = true},
    {.name = "books_shelf",
     .definition = "",
     .columns = (int[]){6},
     .column_count = 1,
     .unique = true,
     .valid = true},
};

static struct catalog_constraint constraints[] = {
    {.name = "title_there", .definition = "CHECK ((title IS NOT NULL))", .kind = "check", .valid = true},
    {.name = "shelf_there", .definition = "CHECK ((shelf IS NOT NULL))", .kind = "check", .valid = true},
    {.name = "price_there", .definition = "CHECK ((price IS NOT NULL))", .kind = "check", .valid = false},
    {.name = "author", .definition = "FOREIGN KEY (a) REFERENCES authors(id)", .kind = "foreign key"},
    {.name = "editor",
     .definition = "FOREIGN KEY (e) REFERENCES editors(id) ON DELETE CASCADE",
     .kind = "foreign key"},
    {.name = "books_isbn_key", .definition = "UNIQUE (isbn)", .kind = "unique"},
};

static struct catalog_dependent dependents[] = {
    {.kind = "view", .name = "public.recent", .definition = "", .column = 2, .blocks = true},
    {.kind = "function", .name = "label(bigint)", .definition = "", .column = 2},
    {.kind = "publication", .name = "everything", .definition = ""},
};

static struct catalog_dependent owner[] = {{.kind = "extension", .name = "postgis", .definition = ""}};

static struct catalog_table tables[] = {
    {.schema = "public",
     .name = "books",
     .on_path = true,
     .kind = "table",
     .rows = 2000000,
     .bytes = INT64_C(310) << 20,
     .columns = columns,
     .column_count = sizeof(columns) / sizeof(columns[0]),
     .indexes = indexes,
     .index_count = sizeof(indexes) / sizeof(indexes[0]),
     .constraints = constraints,
     .constraint_count = sizeof(constraints) / sizeof(constraints[0]),
     .dependents = dependents,
     .dependent_count = sizeof(dependents) / sizeof(dependents[0])},
    {.schema = "public", .name = "books_title", .on_path = true, .kind = "index", .rows = -1},
    {.schema = "public",
     .name = "news",
     .on_path = true,
     .kind = "table",
     .rows = -1,
     .published = true},
    {.schema = "public",
     .name = "spatial_ref_sys",
     .on_path = true,
     .kind = "table",
     .rows = -1,
     .dependents = owner,
     .dependent_count = 1},
};

static struct catalog catalog = {
    .server_version = 150008, .tables = tables, .table_count = sizeof(tables) / sizeof(tables[0])};

static struct plan *read_with(const struct catalog *facts, const char *section, const char *sql)
{
    const struct plan_options options = {.catalog = facts};
    char *text = NULL;
    struct plan *plan;

    assert_true(asprintf(&text, "-- schemagate: %s\n%s", section, sql) > 0);
    plan = plan_read(text, strlen(text), &options);
    free(text);
    return plan;
}

static void expect_with(const struct catalog *facts, const char *section, const char *sql,
                        const char *expected)
{
    struct plan *plan = read_with(facts, section, sql);
    char found[1024] = "";

    for (size_t i = 0; i < plan->finding_count; i++) {
        expect_helpful(&plan->findings[i]);
        strncat(found, i == 0 ? "" : ", ", sizeof(found) - strlen(found) - 1);
        strncat(found, plan->findings[i].id, sizeof(found) - strlen(found) - 1);
    }
    if (strcmp(found, expected) != 0)
        print_error("in: %s\n", sql);
    assert_string_equal(found, expected);
    plan_free(plan);
}

static void expect(const char *section, const char *sql, const char *expected)
{
    expect_with(&catalog, section, sql, expected);
}

static void a_validated_check_makes_set_not_null_free(void **state)
{
    (void)state;
    expect("contract", "ALTER TABLE books ALTER title SET NOT NULL", "");
    expect("contract", "ALTER TABLE books ALTER price SET NOT NULL", "not-null-scan");
    expect("expand", "ALTER TABLE books ALTER isbn SET NOT NULL", "");
    expect("contract atomic=no",
           "ALTER TABLE books ADD CONSTRAINT c CHECK (price IS NOT NULL) NOT VALID;"
           "ALTER TABLE books VALIDATE CONSTRAINT c; ALTER TABLE books ALTER price SET NOT NULL;"
           "ALTER TABLE books DROP CONSTRAINT c",
           "");
}

/* PostgreSQL 18 looks at the NOT NULL that is there, and not for CHECKs. */
static void only_its_own_validation_proves_a_not_null_that_is_not_valid(void **state)
{
    (void)state;
    expect("contract", "ALTER TABLE books ALTER shelf SET NOT NULL", "not-null-scan");
    expect("contract atomic=no",
           "ALTER TABLE books ADD CONSTRAINT c CHECK (shelf IS NOT NULL) NOT VALID;"
           "ALTER TABLE books VALIDATE CONSTRAINT c; ALTER TABLE books ALTER shelf SET NOT NULL",
           "not-null-scan");
    expect("contract atomic=no",
           "ALTER TABLE books VALIDATE CONSTRAINT shelf_given; ALTER TABLE books ALTER shelf SET NOT NULL",
           "");
    expect("contract", "ALTER TABLE books ADD PRIMARY KEY USING INDEX books_shelf", "not-null-scan");
}

static void a_wider_type_is_no_new_type(void **state)
{
    static const char *const free_ones[] = {"title TYPE varchar(40)",   "title TYPE text",
                                            "title TYPE varchar",       "price TYPE numeric(10,2)",
                                            "price TYPE numeric",       "seen TYPE timestamp(6)",
                                            "seen TYPE timestamp",      "isbn TYPE varchar",
                                            "title TYPE varchar(20)"};
    static const char *const others[] = {"title TYPE varchar(19)",    "title TYPE char(40)",
                                         "price TYPE numeric(10,3)",  "price TYPE numeric(7,2)",
                                         "isbn TYPE varchar(100)",    "seen TYPE timestamp(2)",
                                         "seen TYPE timestamptz",     "id TYPE int",
                                         "title TYPE text USING ''",  "title TYPE text COLLATE \"C\"",
                                         "title TYPE varchar(40)[]",  "title TYPE mine.text"};

    (void)state;
    for (size_t i = 0; i < sizeof(free_ones) / sizeof(free_ones[0]); i++) {
        char sql[128];

        snprintf(sql, sizeof(sql), "ALTER TABLE books ALTER COLUMN %s", free_ones[i]);
        expect("expand", sql, strstr(sql, "title") == NULL ? "" : "dependents");
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char sql[128];

        snprintf(sql, sizeof(sql), "ALTER TABLE books ALTER COLUMN %s", others[i]);
        expect("expand", sql,
               strstr(sql, "title") == NULL ? "column-type, type-rewrite"
                                            : "column-type, dependents, type-rewrite");
    }
}

static void dependents_are_named(void **state)
{
    struct plan *plan = read_with(&catalog, "contract", "ALTER TABLE books DROP COLUMN title");

    (void)state;
    assert_int_equal(plan->finding_count, 1);
    assert_string_equal(plan->findings[0].message,
                        "title of books is used by: view public.recent, function label(bigint)");
    plan_free(plan);
    expect("contract", "DROP TABLE books", "dependents");
    expect("contract", "DROP VIEW recent; DROP FUNCTION label(bigint); DROP TABLE books", "");
    expect("contract", "REVOKE SELECT ON books FROM reader", "still-reachable");
}

static void a_required_column_has_to_be_relaxed(void **state)
{
    (void)state;
    expect("contract", "ALTER TABLE books DROP COLUMN isbn", "still-required");
    expect("expand", "ALTER TABLE books ALTER isbn DROP NOT NULL;\n"
           "-- schemagate: contract\nALTER TABLE books DROP COLUMN isbn",
           "drop-not-null");
    expect("expand", "ALTER TABLE books ALTER isbn SET DEFAULT '';\n"
           "-- schemagate: contract\nALTER TABLE books DROP COLUMN isbn",
           "");
    expect("contract", "ALTER TABLE books DROP COLUMN seen", "");
    expect("expand", "CREATE TRIGGER fill BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION fill();\n"
           "-- schemagate: contract\nALTER TABLE books DROP COLUMN isbn",
           "create-trigger");
}

static void sizes_are_said(void **state)
{
    struct plan *plan = read_with(&catalog, "expand", "CREATE INDEX i ON books (price)");

    (void)state;
    assert_string_equal(plan->findings[0].message,
                        "the index is built while books (about 2000000 rows, 310 MB) is locked");
    plan_free(plan);
}

static void what_is_there_already_is_known(void **state)
{
    (void)state;
    expect("expand", "CREATE INDEX CONCURRENTLY books_title ON books (title)", "index-exists");
    expect("expand", "CREATE TABLE IF NOT EXISTS fresh (id int); CREATE INDEX ON fresh (id)", "");
    expect("expand", "CREATE TABLE IF NOT EXISTS books (id int); CREATE INDEX ON books (id)",
           "index-not-concurrent");
    expect_with(NULL, "expand", "CREATE TABLE IF NOT EXISTS fresh (id int); CREATE INDEX ON fresh (id)",
                "index-not-concurrent");
    expect("expand", "ALTER TABLE books ADD PRIMARY KEY USING INDEX books_id", "");
    expect("expand", "ALTER TABLE books ADD PRIMARY KEY USING INDEX books_title",
           "add-primary-key, not-null-scan");
}

static void constraints_are_told_apart(void **state)
{
    (void)state;
    expect("expand", "ALTER TABLE books DROP CONSTRAINT price_there", "");
    expect("expand", "ALTER TABLE books DROP CONSTRAINT author", "");
    expect("expand", "ALTER TABLE books DROP CONSTRAINT editor", "drop-constraint");
    expect("expand", "ALTER TABLE books DROP CONSTRAINT books_isbn_key", "drop-constraint");
}

static void others_who_watch_are_named(void **state)
{
    struct catalog watched = catalog;

    (void)state;
    watched.event_triggers = true;
    expect("expand", "ALTER TABLE news ADD COLUMN c int", "published-table");
    expect("expand", "ALTER TABLE spatial_ref_sys ADD COLUMN c int", "extension-owned");
    expect_with(&watched, "expand", "ALTER TABLE books ADD c int; ALTER TABLE books ADD d int",
                "event-trigger");
    expect_with(&watched, "backfill", "UPDATE books SET price = 1 WHERE price IS NULL", "");
}

static void style_is_asked_for(void **state)
{
    static const char sql[] =
        "-- schemagate: migration style=on\n-- schemagate: expand\n"
        "CREATE TABLE a (\n id serial,\n c char(3),\n v varchar(5),\n i int,\n at timestamp,\n b bigint,\n"
        " t text);\n"
        "CREATE INDEX CONCURRENTLY i ON books (a, b, c, d);";

    (void)state;
    expect_findings(sql, "4:2 style-identity, 5:2 style-char, 6:2 style-text, 7:2 style-bigint, "
                         "8:2 style-timestamptz, 11:1 style-robust, 11:1 style-wide-index");
    expect_findings(strchr(sql, '\n') + 1, "");
}

static void a_newer_server_may_understand(void **state)
{
    struct catalog newer = catalog;
    static const char sql[] = "ALTER TABLE books ADD v int GENERATED ALWAYS AS (1) VIRTUAL";

    (void)state;
    newer.server_version = 180001;
    expect_with(&newer, "expand", sql, "unparsed");
    expect_with(NULL, "expand", sql, "unparsed");
    expect("expand", sql, "syntax-error");
    expect_with(&newer, "expand", "ALTER TABLE books ADD v int GENERATED ALWAYS AS (1)", "unparsed");
    expect_with(&newer, "expand", "ALTER TABLE books ADD CONSTRAINT c NOT NULL title NOT VALID", "unparsed");
    expect_with(&newer, "expand", "ALTER TABLE books ADD NOT NULL title", "unparsed");
    expect_with(&newer, "expand", "CREATE TABLE t (i int, CONSTRAINT c NOT NULL i)", "unparsed");
    expect_with(&newer, "expand", "CREAT TABLE t (i int)", "syntax-error");
    expect_with(&newer, "expand", "CREATE TABLE t (i int CONSTRAINT c NOT NULL, j)", "syntax-error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_validated_check_makes_set_not_null_free),
        cmocka_unit_test(only_its_own_validation_proves_a_not_null_that_is_not_valid),
        cmocka_unit_test(a_wider_type_is_no_new_type),
        cmocka_unit_test(dependents_are_named),
        cmocka_unit_test(a_required_column_has_to_be_relaxed),
        cmocka_unit_test(sizes_are_said),
        cmocka_unit_test(what_is_there_already_is_known),
        cmocka_unit_test(constraints_are_told_apart),
        cmocka_unit_test(others_who_watch_are_named),
        cmocka_unit_test(style_is_asked_for),
        cmocka_unit_test(a_newer_server_may_understand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
