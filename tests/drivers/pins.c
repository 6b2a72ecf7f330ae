/* Runs what `schemagate pin-sql` prints, in the driver that it is for: each script of this folder takes the
 * hook from the file $HOOK, connects twice (or takes a connection from its pool twice) and prints how many
 * shared advisory locks its session holds. A range that is not served has to keep the application from
 * working. `make check-drivers` installs the drivers. */
#include <support/process.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct driver {
    const char *name, *interpreter, *script;
    const char *probe; /* fails where the driver is not there; NULL: it is always */
} drivers[] = {
    {"libpq", "bash", "tests/drivers/pin_libpq.sh", NULL},
    {"psycopg", "/usr/bin/python3", "tests/drivers/pin_psycopg.py",
     "/usr/bin/python3 -c 'import psycopg, psycopg_pool'"},
    {"sqlalchemy", "/usr/bin/python3", "tests/drivers/pin_sqlalchemy.py",
     "/usr/bin/python3 -c 'import sqlalchemy, psycopg2'"},
    {"django", "/usr/bin/python3", "tests/drivers/pin_django.py", "/usr/bin/python3 -c 'import django'"},
    {"asyncpg", "/usr/bin/python3", "tests/drivers/pin_asyncpg.py", "/usr/bin/python3 -c 'import asyncpg'"},
    {"node-postgres", "node", "tests/drivers/pin_node_postgres.js", "node -e 'require(\"pg\")'"},
    {"rails", "/usr/bin/ruby", "tests/drivers/pin_rails.rb", "/usr/bin/ruby -e 'require \"active_record\"'"},
    {"pgbouncer", "bash", "tests/drivers/pin_pgbouncer.sh", "which pgbouncer"},
};

static int print_hook(const struct driver *driver, const char *range, const char *path)
{
    const char *arguments[] = {getenv("SCHEMAGATE_BINARY"), "pin-sql", "-d", driver->name, "-s", range, NULL};
    return process_run(&(struct process_options){.arguments = arguments, .output = path}, PATIENCE_MS);
}

static bool is_there(const struct driver *driver)
{
    const char *arguments[] = {"sh", "-c", driver->probe, NULL};
    return driver->probe == NULL ||
           process_run(&(struct process_options){.arguments = arguments, .output = "/dev/null",
                                                 .errors = "/dev/null"}, PATIENCE_MS) == 0;
}

/* What the script prints; the caller frees. */
static char *run_driver(const struct world *world, const struct driver *driver, const char *range)
{
    char *hook = scratch_path(&world->scratch, "hook"), *output = scratch_path(&world->scratch, "output");
    char host[128], database[64], where[128];

    remove(hook);
    remove(output);
    assert_int_equal(print_hook(driver, range, hook), 0);
    snprintf(host, sizeof host, "PGHOST=%s", world->cluster.sockets);
    snprintf(database, sizeof database, "PGDATABASE=%s", PQdb(world->sql));
    snprintf(where, sizeof where, "HOOK=%s", hook);
    const char *environment[] = {host, database, where, "PGUSER=postgres",
                                 "COUNT=SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
                                 "mode = 'ShareLock' AND pid = pg_backend_pid()", NULL};
    const char *arguments[] = {driver->interpreter, driver->script, NULL};
    process_run(&(struct process_options){.arguments = arguments, .environment = environment,
                                          .output = output, .errors = output}, PATIENCE_MS);
    char *text = scratch_read(output);
    free(hook);
    free(output);
    return text;
}

static void each_hook_pins(void **state)
{
    struct world *world = *state;
    unsigned failed = 0;

    daemon_stop(world_daemon(world, NULL));
    sql_run(world->sql, "SELECT schemagate.commit(epoch, nonce, 0, '{\"window\": {\"floor\": 40, "
                        "\"ceiling\": 42}}') FROM schemagate.coordinator");
    sql_run(world->sql, "SELECT schemagate.settle_markers()");
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        if (!is_there(&drivers[i])) {
            print_message("%-14s is not installed: not tested\n", drivers[i].name);
            continue;
        }
        char *served = run_driver(world, &drivers[i], "41..43");
        char *refused = run_driver(world, &drivers[i], "1..39");
        bool right = strcmp(served, "2\n2\n") == 0 && strncmp(refused, "2\n", 2) != 0;
        print_message("%-14s %s\n", drivers[i].name, right ? "pins" : "DOES NOT PIN");
        if (!right)
            print_message("served: %s\nrefused: %s\n", served, refused);
        failed += right ? 0 : 1;
        free(served);
        free(refused);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {world_test(each_hook_pins)};
    return world_run(tests);
}
