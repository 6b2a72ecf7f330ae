/* `pin-sql`: what it prints for each driver. tests/drivers runs what it prints. */
#include <support/process.h>
#include <support/scratch.h>
#include <support/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;

static int open_scratch(void **state)
{
    (void)state;
    scratch_open(&scratch, "pins", SCRATCH_FAST, false);
    return 0;
}

/* What it prints; the caller frees. */
static char *print(int code, const char *const words[])
{
    char *path = scratch_path(&scratch, "output");
    remove(path);
    int ended = process_run(&(struct process_options){.arguments = words,
                                                      .output = path,
                                                      .errors = path,
                                                      .environment = (const char *[]){"SCHEMAGATE_SCHEMA",
                                                                                      NULL}},
                            PATIENCE_MS);
    char *text = scratch_read(path);
    if (ended != code)
        test_fail("it ended with %d: %s", ended, text);
    free(path);
    return text;
}

#define PIN_SQL(code, ...) \
    print(code, (const char *const[]){getenv("SCHEMAGATE_BINARY"), "pin-sql", __VA_ARGS__, NULL})

static void every_driver_has_a_hook_with_the_range_filled_in(void **state)
{
    (void)state;
    static const char *const drivers[] = {"libpq", "psycopg", "sqlalchemy", "django", "asyncpg",
                                          "node-postgres", "pgx", "hikaricp", "npgsql", "rails",
                                          "pgbouncer"};

    char *all = PIN_SQL(0, "--schema", "41..43");
    assert_null(strstr(all, "@MIN@"));
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        char *one = PIN_SQL(0, "--schema", "41..43", "--driver", drivers[i]);
        assert_non_null(strstr(one, "schemagate.pin(41, 43)"));
        assert_non_null(strstr(all, one));
        assert_true(one[strlen(one) - 1] == '\n');
        free(one);
    }
    free(all);
}

static void a_pool_that_drops_pins_is_told(void **state)
{
    (void)state;
    static const char *const drivers[] = {"asyncpg", "npgsql", "pgbouncer"};

    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        char *text = PIN_SQL(0, "-d", drivers[i]);
        assert_non_null(strstr(text, "DROPS PINS"));
        assert_non_null(strstr(text, "schemagate.pin(MIN, MAX)"));
        free(text);
    }
}

static void an_unknown_driver_is_a_mistake(void **state)
{
    (void)state;
    char *text = PIN_SQL(2, "--driver", "odbc");
    assert_non_null(strstr(text, "odbc"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_driver_has_a_hook_with_the_range_filled_in),
        cmocka_unit_test(a_pool_that_drops_pins_is_told),
        cmocka_unit_test(an_unknown_driver_is_a_mistake),
    };
    return cmocka_run_group_tests(tests, open_scratch, NULL);
}
