/* The client verbs, typed as their users type them, against the real daemon. */
#include <support/command.h>
#include <support/samples.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, REFUSED = 3, TOO_OLD = 4, UNREACHABLE = 5, TIMEOUT = 124 };

static struct daemon *begin(struct world *world, struct command *command)
{
    struct daemon *daemon = world_daemon(world, NULL);
    command_open(command, world, daemon);
    return daemon;
}

/* A folder of migrations 1 and 2, named as ORMs name them. */
static char *write_migrations(struct world *world)
{
    char *folder = scratch_path(&world->scratch, "migrations-%u", world->cluster.databases);
    char name[96];
    if (mkdir(folder, 0755) != 0)
        test_fail("cannot create %s", folder);
    snprintf(name, sizeof name, "migrations-%u/V0001__create.sql", world->cluster.databases);
    free(scratch_write(&world->scratch, name, SAMPLE_CREATE));
    snprintf(name, sizeof name, "migrations-%u/2_rename.up.sql", world->cluster.databases);
    free(scratch_write(&world->scratch, name, SAMPLE_RENAME));
    return folder;
}

static void says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        test_fail("it does not say \"%s\": %s", wanted, text);
}

static void a_folder_is_submitted_in_version_order(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *folder = write_migrations(world);
    command_expect(&command, DONE, "submit %s --wait expanded --timeout 15", folder);
    rollout_expect_window(&daemon->client, 0, 2);
    command_expect(&command, DONE, "submit %s/2_rename.up.sql", folder);
    command_expect(&command, DONE, "status");
    says(command.output, "rename");
    free(folder);
    command_close(&command);
}

static void what_a_tool_prints_is_submitted_under_a_name(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *path = scratch_write(&world->scratch, "printed", SAMPLE_CREATE);
    command_expect(&command, DONE, "submit - --as 7_create.sql --wait expanded --timeout 60 <%s", path);
    rollout_expect_window(&daemon->client, 0, 7);
    assert_string_equal(json_text_at(rollout_get(&daemon->client, 7)->json, "/name"), "create");
    command_expect(&command, USAGE, "submit - <%s", path);
    says(command.errors, "--as");
    command_expect(&command, USAGE, "submit - --as create.sql <%s", path);
    command_expect(&command, USAGE, "submit %s --as 8_create.sql", path);
    free(path);
    command_close(&command);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *path =
        scratch_write(&world->scratch, "7_wrong.sql", "-- schemagate: expand\nCREATE TABEL t;\n");
    command_expect(&command, REFUSED, "submit %s", path);
    says(command.errors, "7_wrong.sql:2:");
    free(path);
    path = scratch_write(&world->scratch, "nonsense.sql", SAMPLE_CREATE);
    command_expect(&command, USAGE, "submit %s", path);
    command_expect(&command, USAGE, "submit %s/none.sql", world->scratch.path);
    command_expect(&command, USAGE, "nonesuch");
    command_expect(&command, USAGE, "status --nonesuch");
    says(command.errors, "there is no option --nonesuch");
    command_expect(&command, USAGE, "status -xw");
    says(command.errors, "there is no option -x\n");
    command_expect(&command, USAGE, "waive 7 in-use -123 --for 60 --reason R");
    says(command.errors, "there is no option -1: what begins with \"-\" and is none stands behind --");
    free(path);
    command_close(&command);
}

static void scripts_wait(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *folder = write_migrations(world);
    command_expect(&command, DONE, "submit %s", folder);
    command_expect(&command, DONE, "wait 2 --for expanded --timeout 15");
    command_expect(&command, TIMEOUT, "wait 2 --for complete --timeout 1");
    fleet_join(&daemon->client, REPLICA("a", 2, 2));
    command_expect(&command, DONE, "wait 2 --for complete --timeout 15");
    command_expect(&command, USAGE, "wait 9 --for complete --timeout 1");
    free(folder);
    command_close(&command);
}

static void a_failure_ends_the_wait(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *path = scratch_write(&world->scratch, "1_fails.sql",
                               "-- schemagate: expand\nALTER TABLE nowhere ADD COLUMN x int;\n");
    command_expect(&command, FAILED, "submit %s --wait expanded --timeout 15", path);
    says(command.errors, "42P01");
    free(path);
    command_close(&command);
}

static void the_gate_says_what_to_do(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    char *folder = write_migrations(world);
    command_expect(&command, DONE, "submit %s --wait expanded --timeout 15", folder);
    fleet_join(&daemon->client, REPLICA("old", 1, 1));
    command_expect(&command, DONE, "gate 2");
    says(command.output, "web/old");
    command_expect(&command, DONE, "gate 2 --json");
    json_t *gate = json_loads(command.output, 0, NULL);
    assert_string_equal(json_text_at(gate, "/holds/0/code"), "replica-behind");
    json_decref(gate);
    command_expect(&command, DONE, "replicas");
    says(command.output, "old");
    command_expect(&command, DONE, "replicas --app nobody --json");
    command_expect(&command, DONE, "evict web/old --reason 'its machine burned' --yes");
    fleet_join(&daemon->client, REPLICA("new", 2, 2));
    command_expect(&command, DONE, "wait 2 --for complete --timeout 15");
    command_expect(&command, DONE, "events");
    says(command.output, "its machine burned");
    free(folder);
    command_close(&command);
}

static void operators_steer(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    char *folder = write_migrations(world);
    command_expect(&command, DONE, "submit %s --wait expanded --timeout 15", folder);
    command_expect(&command, DONE, "pause 2 --reason 'the shop is busy' --yes");
    command_expect(&command, DONE, "status 2");
    says(command.output, "paused");
    command_expect(&command, DONE, "resume 2 --yes");
    command_expect(&command, REFUSED, "cancel 2 --yes");
    command_expect(&command, USAGE, "undo 2 </dev/null");
    command_expect(&command, DONE, "undo 2 --yes");
    command_expect(&command, DONE, "status 2 --json");
    command_expect(&command, REFUSED, "wait 2 --for complete --timeout 15");
    free(folder);
    command_close(&command);
}

static void admission_has_its_exit_codes(void **state)
{
    struct world *world = *state;
    struct command command;
    begin(world, &command);
    command_expect(&command, DONE, "baseline 40");
    command_expect(&command, DONE, "admission web 39..41");
    command_expect(&command, TOO_OLD, "admission web 38..39");
    command_expect(&command, UNREACHABLE, "admission web 41..42");
    command_expect(&command, REFUSED, "baseline 41");
    command_expect(&command, DONE, "declare web 40..41");
    command_close(&command);
}

static void a_daemon_that_does_not_answer_is_worth_another_try(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    daemon_stop(daemon);
    command_expect(&command, UNREACHABLE, "status");
    says(command.errors, "api-");
    command_close(&command);
}

static void help_and_version_need_no_daemon(void **state)
{
    struct world *world = *state;
    struct command command;
    struct daemon *daemon = begin(world, &command);
    daemon_stop(daemon);
    command_expect(&command, DONE, "help");
    says(command.output, "submit");
    command_expect(&command, DONE, "help run");
    command_expect(&command, DONE, "version");
    command_expect(&command, DONE, "token new --role app --app web --name ci");
    command_expect(&command, USAGE, "token new --role app --name ci");
    command_expect(&command, DONE, "check-config -c %s", daemon->config);
    command_close(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_folder_is_submitted_in_version_order),
        world_test(what_a_tool_prints_is_submitted_under_a_name),
        world_test(what_is_wrong_is_said_with_its_place),
        world_test(scripts_wait),
        world_test(a_failure_ends_the_wait),
        world_test(the_gate_says_what_to_do),
        world_test(operators_steer),
        world_test(admission_has_its_exit_codes),
        world_test(a_daemon_that_does_not_answer_is_worth_another_try),
        world_test(help_and_version_need_no_daemon),
    };
    return world_run(tests);
}
