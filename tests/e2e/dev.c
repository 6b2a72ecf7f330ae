/* `dev`: everything now, on a real database, without a daemon of one's own. */
#include <support/command.h>
#include <support/samples.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, REFUSED = 3, UNREACHABLE = 5, NOT_FOUND = 127 };

#define CREATE "-- schemagate: expand\nCREATE TABLE customer (id int, name text, kept text);\n"
/* What would wait in production: for an approval, for a soak, for a fleet. */
#define DROP                                                                                        \
    "-- schemagate: migration approval=manual soak_seconds=3600\n"                                 \
    "-- schemagate: expand\nALTER TABLE customer ADD COLUMN full_name text;\n"                     \
    "-- schemagate: contract\nALTER TABLE customer DROP COLUMN name;\n"

static char *write_migration(struct world *world, const char *name, const char *sql)
{
    char *folder = scratch_path(&world->scratch, "dev-%u", world->cluster.databases), file[128];

    mkdir(folder, 0755);
    snprintf(file, sizeof file, "dev-%u/%s", world->cluster.databases, name);
    free(scratch_write(&world->scratch, file, sql));
    return folder;
}

static void says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        test_fail("it does not say \"%s\": %s", wanted, text);
}

static void all_phases_run_and_then_the_command(void **state)
{
    struct world *world = *state;
    struct command command;
    command_open(&command, world, NULL);
    free(write_migration(world, "1_create.sql", CREATE));
    char *folder = write_migration(world, "2_drop.sql", DROP);
    command_expect(&command, DONE, "dev --database '%s' --migrations %s -- echo the command runs",
                   world->conninfo, folder);
    says(command.output, "the schema is at version 2\nthe command runs\n");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_attribute WHERE attrelid = "
                                            "'customer'::regclass AND attname IN ('name', 'full_name')"),
                     1);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.replica "
                                            "WHERE state <> 'gone'"),
                     0);
    sql_wait(world->sql, "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')");
    free(write_migration(world, "3_more.sql", "-- schemagate: expand\nCREATE TABLE more (id int);\n"));
    command_expect(&command, DONE, "dev --database '%s' --migrations %s", world->conninfo, folder);
    says(command.output, "the schema is at version 3\n");
    command_expect(&command, 7, "dev --database '%s' --migrations %s -- sh -c 'exit 7'", world->conninfo,
                   folder);
    command_expect(&command, NOT_FOUND, "dev --database '%s' --migrations %s -- /nonesuch",
                   world->conninfo, folder);
    free(folder);
    command_close(&command);
}

/* A rename is planned with the facts of its table, which the file before it creates. */
static void a_migration_may_rest_on_the_one_before(void **state)
{
    struct world *world = *state;
    struct command command;
    command_open(&command, world, NULL);
    free(write_migration(world, "1_create.sql", "CREATE TABLE customer (id int, name text);\n"));
    char *folder = write_migration(world, "2_full_name.sql",
                                   "ALTER TABLE customer RENAME COLUMN name TO full_name;\n");
    command_expect(&command, DONE, "dev --database '%s' --migrations %s", world->conninfo, folder);
    says(command.output, "the schema is at version 2\n");
    assert_int_equal(sql_number(world->sql, "SELECT count(full_name) FROM customer"), 0);
    free(folder);
    command_close(&command);
}

static void what_fails_ends_it_before_the_command(void **state)
{
    struct world *world = *state;
    struct command command;
    command_open(&command, world, NULL);
    free(write_migration(world, "1_create.sql", CREATE));
    char *folder = write_migration(world, "2_wrong.sql",
                                   "-- schemagate: expand\nALTER TABLE nonesuch ADD COLUMN x int;\n");
    command_expect(&command, FAILED, "dev --database '%s' --migrations %s -- echo runs", world->conninfo,
                   folder);
    assert_null(strstr(command.output, "runs"));
    says(command.errors, "42P01");
    command_expect(&command, USAGE, "dev --database '%s'", world->conninfo);
    says(command.errors, "--migrations DIR");
    free(folder);
    command_close(&command);
}

static void it_does_not_push_a_daemon_aside(void **state)
{
    struct world *world = *state;
    struct command command;
    world_daemon(world, NULL);
    command_open(&command, world, NULL);
    char *folder = write_migration(world, "1_create.sql", CREATE);
    command_expect(&command, REFUSED, "dev --database '%s' --migrations %s -- echo runs", world->conninfo,
                   folder);
    says(command.errors, "another schemagate coordinates this database");
    free(folder);
    command_close(&command);
}

static void a_registered_replica_holds_contracts_here_too(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = world_daemon(world, NULL);
    rollout_submit(&daemon->client, 1, CREATE);
    rollout_wait(&daemon->client, 1, "complete");
    fleet_register(&daemon->client, REPLICA("old", 1, 1));
    daemon_stop(daemon);
    command_open(&command, world, NULL);
    char *folder = write_migration(world, "2_drop.sql", DROP);
    command_expect(&command, 124, "dev --timeout 3 --database '%s' --migrations %s -- echo runs",
                   world->conninfo, folder);
    says(command.errors, "web/old");
    assert_int_equal(sql_number(world->sql, "SELECT count(name) + 1 FROM customer"), 1);
    free(folder);
    command_close(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(all_phases_run_and_then_the_command),
        world_test(a_migration_may_rest_on_the_one_before),
        world_test(what_fails_ends_it_before_the_command),
        world_test(it_does_not_push_a_daemon_aside),
        world_test(a_registered_replica_holds_contracts_here_too),
    };
    return world_run(tests);
}
