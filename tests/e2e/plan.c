/* `plan`, typed as its users type it: without anything, with a database, with a daemon. */
#include <support/command.h>
#include <support/process.h>
#include <support/samples.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, UNREACHABLE = 5 };

static void says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        test_fail("it does not say \"%s\": %s", wanted, text);
}

static void is_silent_about(const char *text, const char *unwanted)
{
    if (strstr(text, unwanted))
        test_fail("it says \"%s\": %s", unwanted, text);
}

/* A command line that knows of no daemon; `--offline` keeps out one that listens at the usual place. */
static void begin_alone(struct command *command, const struct world *world)
{
    *command = (struct command){.world = world, .url = strdup("SCHEMAGATE_URL")};
    assert_non_null(command->url);
}

static void a_file_is_planned_without_a_daemon(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *path = scratch_write(&world->scratch, "2_rename.sql", SAMPLE_RENAME);
    command_expect(&command, DONE, "plan --offline %s", path);
    says(command.output, "expand: ");
    says(command.output, "ALTER TABLE customer ADD COLUMN full_name text;");
    says(command.output, "locks customer: ACCESS EXCLUSIVE");
    says(command.output, "undo: ");
    says(command.output, "can be submitted");
    says(command.output, "[no-facts]");
    is_silent_about(command.output, "\033[");
    command_expect(&command, DONE, "plan --offline --explain - <%s", path);
    says(command.output, "(stdin)");
    says(command.output, "why here: ");
    command_expect(&command, DONE, "plan --offline --json %s", path);
    json_t *plan = json_loads(command.output, 0, NULL);
    assert_int_equal(json_array_size(json_at(plan, "/steps")), 4);
    assert_string_equal(json_text_at(plan, "/file"), path);
    json_decref(plan);
    free(path);
    command_close(&command);
}

static void a_daemon_that_nobody_named_need_not_be_there(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *path = scratch_write(&world->scratch, "first.sql", "CREATE TABLE nobody_has_this (a int);\n");
    command_expect(&command, DONE, "plan %s", path);
    says(command.output, "can be submitted");
    free(path);
    command_close(&command);
}

static void a_mistake_is_shown_as_a_compiler_shows_it(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *path = scratch_write(&world->scratch, "orm-output.sql",
                               "-- schemagate: expand\nSELECT 1;\n\t  CREATE TABEL t (a int);\n");
    command_expect(&command, FAILED, "plan --offline %s", path);
    says(command.output, "orm-output.sql:3:11: error: syntax error");
    says(command.output, "[syntax-error]\n     3 | ");
    says(command.output, "CREATE TABEL t (a int);\n       |           ^\n  why: ");
    says(command.output, "refused: 1 error");
    is_silent_about(command.output, "transaction 1");
    free(path);
    command_close(&command);
}

static void a_folder_is_planned_in_version_order(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *folder = scratch_path(&world->scratch, "plans-%u", world->cluster.databases), name[64];
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(name, sizeof name, "plans-%u/10_rename.up.sql", world->cluster.databases);
    free(scratch_write(&world->scratch, name, SAMPLE_RENAME));
    snprintf(name, sizeof name, "plans-%u/V9__create.sql", world->cluster.databases);
    free(scratch_write(&world->scratch, name, SAMPLE_CREATE));
    command_expect(&command, DONE, "plan --offline %s", folder);
    const char *first = strstr(command.output, "V9__create.sql: can be submitted");
    assert_non_null(first);
    assert_non_null(strstr(first, "10_rename.up.sql: can be submitted"));
    snprintf(name, sizeof name, "plans-%u/notes.txt", world->cluster.databases);
    free(scratch_write(&world->scratch, name, "no migration"));
    command_expect(&command, USAGE, "plan %s", folder);
    says(command.errors, "notes.txt");
    free(folder);
    command_close(&command);
}

static void with_a_database_its_facts_come_in(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *path = scratch_write(&world->scratch, "2_rename.sql", SAMPLE_RENAME);
    sql_run(world->sql, "CREATE TABLE customer (id int PRIMARY KEY, name text)");
    command_expect(&command, DONE, "plan --database '%s' %s", world->conninfo, path);
    is_silent_about(command.output, "no-facts");
    command_expect(&command, UNREACHABLE, "plan --database 'host=%s dbname=nowhere' %s",
                   world->scratch.path, path);
    says(command.errors, "--database: ");
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM pg_namespace "
                                            "WHERE nspname = 'schemagate'"), 0);
    free(path);
    command_close(&command);
}

static void with_a_daemon_it_is_the_daemon_that_plans(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = world_daemon(world, NULL);
    command_open(&command, world, daemon);
    char *path = scratch_write(&world->scratch, "2_rename.sql", SAMPLE_RENAME);
    command_expect(&command, DONE, "plan %s", path);
    is_silent_about(command.output, "no-facts");
    says(command.output, "can be submitted");
    char *wrong = scratch_write(&world->scratch, "3_wrong.sql", "-- schemagate: expand\nCOMMIT;\n");
    command_expect(&command, FAILED, "plan %s", wrong);
    says(command.output, "3_wrong.sql:2:1: error: ");
    char *bytes = scratch_write(&world->scratch, "4_bytes.sql", "-- schemagate: expand\nSELECT '\xff'\n");
    command_expect(&command, FAILED, "plan %s", bytes);
    says(command.output, "4_bytes.sql:2:9: error: ");
    assert_int_equal(world_rows(world, "migration"), 0);
    daemon_stop(daemon);
    command_expect(&command, UNREACHABLE, "plan %s", path);
    free(path);
    free(wrong);
    free(bytes);
    command_close(&command);
}

static void a_text_that_ends_the_reader_is_an_error_and_no_crash(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    char *script = scratch_path(&world->scratch, "deep.sql");
    char *line = NULL;
    assert_true(asprintf(&line, "{ echo '-- schemagate: expand'; printf 'SELECT 1'; "
                                "yes +1 | head -300000 | tr -d '\\n'; } >%s", script) > 0);
    assert_int_equal(process_run(&(struct process_options){
                         .arguments = (const char *[]){"sh", "-c", line, NULL}}, PATIENCE_MS), 0);
    command_expect(&command, FAILED, "plan --offline %s", script);
    says(command.output, "[unreadable]");
    command_expect(&command, FAILED, "plan --offline --json %s", script);
    json_t *plan = json_loads(command.output, 0, NULL);
    assert_string_equal(json_text_at(plan, "/findings/0/id"), "unreadable");
    json_decref(plan);
    free(line);
    free(script);
    command_close(&command);
}

static void what_cannot_be_read_is_named(void **state)
{
    struct world *world = *state;
    struct command command;
    begin_alone(&command, world);
    command_expect(&command, USAGE, "plan");
    command_expect(&command, USAGE, "plan --nonesuch x.sql");
    command_expect(&command, USAGE, "plan %s/none.sql", world->scratch.path);
    says(command.errors, "none.sql: No such file");
    command_expect(&command, FAILED, "plan - </dev/null");
    says(command.output, "[empty-file]");
    command_expect(&command, DONE, "help plan");
    says(command.output, "--database");
    command_close(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_file_is_planned_without_a_daemon),
        world_test(a_daemon_that_nobody_named_need_not_be_there),
        world_test(a_mistake_is_shown_as_a_compiler_shows_it),
        world_test(a_folder_is_planned_in_version_order),
        world_test(with_a_database_its_facts_come_in),
        world_test(with_a_daemon_it_is_the_daemon_that_plans),
        world_test(a_text_that_ends_the_reader_is_an_error_and_no_crash),
        world_test(what_cannot_be_read_is_named),
    };
    return world_run(tests);
}
