/* Steps that are configured commands: started under the lock, ended with it, never named by who submits. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a tool ---- */

/* The tool writes down each of its runs into `ran`, then goes on with the script. */
struct tool {
    char folder[128], sections[1024];
};

static char *tool_path(const struct tool *tool, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", tool->folder, name) < 0)
        abort();
    return path;
}

static void write_file(const struct tool *tool, const char *name, const char *text)
{
    char *path = tool_path(tool, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    chmod(path, 0755);
    free(path);
}

static struct tool tool_make(const struct world *world, const char *script)
{
    static unsigned count;
    struct tool tool;
    char text[4096];

    snprintf(tool.folder, sizeof tool.folder, "%s/tool%u", world->scratch.path, ++count);
    mkdir(tool.folder, 0755);
    snprintf(text, sizeof text,
             "#!/bin/sh\necho \"$SCHEMAGATE_VERSION $SCHEMAGATE_PHASE $*\" >>ran\n%s\n", script);
    write_file(&tool, "tool.sh", text);
    snprintf(tool.sections, sizeof tool.sections,
             "[runner tool]\n"
             "command = %s/tool.sh, {version}, --phase={phase}, to {argument}\n"
             "environment = TOOL_HOME=here\n"
             "directory = %s\n"
             "[runner plain]\n"
             "command = %s/tool.sh\n"
             "directory = %s\n"
             "timeout_seconds = 5\n"
             "[runner named]\n"
             "command = %s/tool.sh, {name}\n"
             "directory = %s\n",
             tool.folder, tool.folder, tool.folder, tool.folder, tool.folder, tool.folder);
    return tool;
}

static char *tool_read(const struct tool *tool, const char *name)
{
    char *path = tool_path(tool, name), *text = scratch_read(path);
    free(path);
    return text;
}

static void expect_runs(const struct tool *tool, const char *expected)
{
    char *text = tool_read(tool, "ran");
    assert_string_equal(text, expected);
    free(text);
}

/* A script that starts something, says which processes there are, and stays, unless `go_on` is there. */
#define STAYS "test -e go_on && exit 0\nsleep 600 &\necho \"$$ $!\" >pids.new\nmv pids.new pids\nwait"

struct pids {
    long shell, sleeper;
};

static struct pids wait_pids(const struct tool *tool)
{
    int64_t end = test_now_ms() + PATIENCE_MS;

    for (;;) {
        struct pids pids;
        char *text = tool_read(tool, "pids");
        bool read = sscanf(text, "%ld %ld", &pids.shell, &pids.sleeper) == 2;

        free(text);
        if (read)
            return pids;
        if (test_now_ms() > end)
            test_fail("the tool was not started");
        test_pause();
    }
}

static void wait_dead(struct pids pids)
{
    process_wait_dead((pid_t)pids.shell);
    process_wait_dead((pid_t)pids.sleeper);
}

/* ---- a daemon that has the tool configured ---- */

#define RUNS_TOOL                                                                                  \
    "-- schemagate: expand\n"                                                                      \
    "CREATE TABLE before_it (id int);\n"                                                           \
    "-- schemagate: run tool argument=a1:b2\n"                                                     \
    "CREATE TABLE behind_it (id int);\n"

/* What it has written down when it ran twice. */
#define TWO_RUNS "1 expand 1 --phase=expand to a1:b2\n1 expand 1 --phase=expand to a1:b2\n"

struct scene {
    struct world *world;
    struct tool tool;
    struct daemon *daemon; /* the latest that was started, and its client */
    struct http_client *client;
};

static void start_daemon(struct scene *scene)
{
    scene->daemon = world_daemon(scene->world,
                                 &(struct daemon_options){
                                     .sections = scene->tool.sections,
                                     .environment = (const char *const[]){"PGPASSWORD=secret", NULL}});
    scene->client = &scene->daemon->client;
}

static struct scene scene_of(void **state, const char *script)
{
    struct scene scene = {.world = *state, .tool = tool_make(*state, script)};
    start_daemon(&scene);
    return scene;
}

/* Migration 1 has started a tool that STAYS. */
static struct scene scene_in_the_tool(void **state, struct pids *pids)
{
    struct scene scene = scene_of(state, STAYS);
    rollout_submit(scene.client, 1, RUNS_TOOL);
    *pids = wait_pids(&scene.tool);
    return scene;
}

/* From now on the tool ends at once, and well. */
static void let_go_on(const struct scene *scene)
{
    write_file(&scene->tool, "go_on", "");
}

static void expect_retry_completes(const struct scene *scene, int64_t version)
{
    let_go_on(scene);
    rollout_act(scene->client, version, "retry");
    rollout_wait(scene->client, version, "complete");
}

static void end_session(const struct scene *scene, const char *name)
{
    sql_run(scene->world->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                               "WHERE application_name = 'schemagate %s' "
                               "AND datname = current_database()", name);
}

static int64_t table_exists(const struct scene *scene, const char *name)
{
    return sql_number(scene->world->sql, "SELECT (to_regclass('public.%s') IS NOT NULL)::int", name);
}

/* ---- what it does ---- */

static void a_runner_runs_where_it_stands(void **state)
{
    struct scene s = scene_of(state, "test $# = 3 || exit 9\n"
                                     "test \"$TOOL_HOME\" = here || exit 8\n"
                                     "test -z \"$PGPASSWORD$SCHEMAGATE_DATABASE_CONNINFO\" || exit 7\n"
                                     "test \"$3\" = 'to a1:b2' || exit 6");

    rollout_submit(s.client, 7, RUNS_TOOL);
    rollout_wait(s.client, 7, "complete");
    expect_runs(&s.tool, "7 expand 7 --phase=expand to a1:b2\n");
    const struct http_answer *answer = rollout_get(s.client, 7);
    assert_string_equal(json_text_at(answer->json, "/steps/1/kind"), "runner");
    assert_string_equal(json_text_at(answer->json, "/steps/1/object"), "tool");
    assert_string_equal(json_text_at(answer->json, "/steps/1/sql"), "run tool argument=a1:b2");
    assert_string_equal(json_text_at(answer->json, "/steps/1/state"), "done");
    assert_int_equal(table_exists(&s, "behind_it"), 1);
    assert_int_equal(sql_number(s.world->sql,
                                "SELECT count(*) FROM schemagate.event WHERE kind = 'migration.runner' "
                                "AND version = 7 AND data->>'runner' = 'tool' "
                                "AND data->>'argument' = 'a1:b2' "
                                "AND (data->>'exit_code')::int = 0 AND (data->>'seconds')::numeric >= 0"), 1);
}

static void a_failure_says_why_and_a_retry_runs_it_again(void **state)
{
    struct scene s = scene_of(state, "test -e go_on && exit 0\n"
                                     "echo first; printf 'bell\\007 \\377\\n' >&2; "
                                     "echo 'revision b2: no such table'; exit 3");

    rollout_submit(s.client, 1, RUNS_TOOL);
    rollout_wait_status(s.client, 1, "failed");
    const struct http_answer *answer = rollout_get(s.client, 1);
    assert_string_equal(json_text_at(answer->json, "/error/message"), "runner tool: exit code 3");
    assert_string_equal(json_text_at(answer->json, "/error/detail"),
                        "first\nbell  ?\nrevision b2: no such table");
    assert_int_equal(json_number_at(answer->json, "/error/step"), 2);
    assert_int_equal(json_number_at(answer->json, "/error/position/line"), 3);
    assert_string_equal(json_text_at(answer->json, "/steps/1/state"), "failed");
    assert_int_equal(table_exists(&s, "behind_it"), 0);
    assert_int_equal(sql_number(s.world->sql,
                                "SELECT count(*) FROM schemagate.event WHERE kind = 'migration.failed' "
                                "AND (data->>'exit_code')::int = 3 AND data->>'runner' = 'tool'"), 1);
    expect_retry_completes(&s, 1);
    expect_runs(&s.tool, TWO_RUNS);
}

static void it_is_killed_when_it_takes_too_long(void **state)
{
    struct scene s = scene_of(state, STAYS);

    rollout_submit(s.client, 1, "-- schemagate: expand\n-- schemagate: run plain\n");
    rollout_wait_status(s.client, 1, "failed");
    assert_string_equal(json_text_at(rollout_get(s.client, 1)->json, "/error/message"),
                        "runner plain: took longer than 5 s");
    wait_dead(wait_pids(&s.tool));
}

static void an_operator_ends_it_by_cancelling(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    assert_string_equal(json_text_at(rollout_get(s.client, 1)->json, "/summary"),
                        "expand step 2: the command of the runner tool is running");
    rollout_act(s.client, 1, "cancel");
    rollout_wait_status(s.client, 1, "failed");
    assert_false(process_is_alive((pid_t)pids.shell));
    assert_string_equal(json_text_at(rollout_get(s.client, 1)->json, "/error/message"),
                        "cancelled by an operator");
    assert_int_equal(json_number_at(rollout_get(s.client, 1)->json, "/error/step"), 2);
    wait_dead(pids);
    expect_retry_completes(&s, 1);
}

/* ---- the lock ---- */

static void a_killed_daemon_takes_it_along_and_the_next_one_runs_it_again(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    daemon_kill(s.daemon);
    wait_dead(pids);
    let_go_on(&s);
    start_daemon(&s);
    rollout_wait(s.client, 1, "complete");
    expect_runs(&s.tool, TWO_RUNS);
    assert_int_equal(world_rows(s.world, "step"), 3);
}

/* The server gives its lock away meanwhile: the tool is gone before the successor begins. */
static void a_daemon_that_stands_still_does_not_leave_it_running(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    kill(s.daemon->pid, SIGSTOP);
    wait_dead(pids);
    let_go_on(&s);
    kill(s.daemon->pid, SIGCONT);
    rollout_wait(s.client, 1, "complete");
    expect_runs(&s.tool, TWO_RUNS);
    assert_int_equal(sql_number(s.world->sql, "SELECT count(*) FROM schemagate.event "
                                              "WHERE kind = 'migration.failed'"), 0);
}

static void a_lost_session_ends_it_and_the_next_term_runs_it_again(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    let_go_on(&s);
    end_session(&s, "coordinator");
    wait_dead(pids);
    rollout_wait(s.client, 1, "complete");
    expect_runs(&s.tool, TWO_RUNS);
}

/* The session that holds the lock is alive: it is given back only when the tool has ended. */
static void any_end_of_the_term_ends_it(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    let_go_on(&s);
    end_session(&s, "store");
    wait_dead(pids);
    rollout_wait(s.client, 1, "complete");
}

static void stopping_ends_it_and_the_next_daemon_runs_it_again(void **state)
{
    struct pids pids;
    struct scene s = scene_in_the_tool(state, &pids);

    daemon_stop(s.daemon);
    assert_false(process_is_alive((pid_t)pids.shell));
    wait_dead(pids);
    let_go_on(&s);
    start_daemon(&s);
    rollout_wait(s.client, 1, "complete");
}

/* Admission stays closed behind it, as behind any statement outside of transactions. */
static void a_contract_that_begins_with_one_stays_begun(void **state)
{
    struct scene s = scene_of(state, "test -e go_on || exit 1");

    rollout_submit(s.client, 1, "-- schemagate: expand\nCREATE TABLE t (id int, old int);\n");
    rollout_wait(s.client, 1, "complete");
    rollout_submit(s.client, 2, "-- schemagate: contract\n-- schemagate: run tool argument=x\n"
                                "ALTER TABLE t DROP COLUMN old;\n");
    fleet_join(s.client, REPLICA("new", 1, 2));
    rollout_wait_status(s.client, 2, "failed");
    rollout_expect_phase(s.client, 2, "contracting", "failed");
    expect_answer(fleet_register(s.client, REPLICA("old", 1, 1)), 409, NULL);
    expect_retry_completes(&s, 2);
    expect_runs(&s.tool, "2 contract 2 --phase=contract to x\n2 contract 2 --phase=contract to x\n");
}

/* ---- who submits names no program ---- */

static void expect_refused(struct http_client *client, const char *sql, const char *rule, const char *said)
{
    const struct http_answer *answer = rollout_try_submit(client, 1, sql, NULL);
    expect_answer(answer, 422, "plan-refused");
    if (!strstr(answer->body, rule) || !strstr(answer->body, said))
        test_fail("neither '%s' nor '%s' in %s", rule, said, answer->body);
}

#define RUN(what) "-- schemagate: expand\n-- schemagate: run " what "\n"

static void what_is_not_configured_is_refused_at_once(void **state)
{
    struct scene s = scene_of(state, "");
    struct http_client *client = s.client;

    expect_refused(client, RUN("other"), "unknown-runner",
                   "there is no runner 'other'; configured are: tool, plain, named");
    expect_refused(client, RUN("/bin/sh"), "bad-value", "takes the name of a configured runner");
    expect_refused(client, RUN("tool"), "runner-argument", "needs an argument");
    expect_refused(client, RUN("plain argument=x"), "runner-argument", "takes no argument");
    expect_refused(client, RUN("tool argument=--config"), "bad-value", "is no value for 'argument'");
    expect_refused(client, RUN("tool argument=\\\"$(id)\\\""), "malformed-directive", "");
    expect_refused(client, RUN("tool argument=\"x;id\""), "bad-value", "is no value for 'argument'");
    expect_refused(client, RUN("tool argument=x command=/bin/sh"), "unknown-key", "it knows: argument");
    json_t *option = json_pack("{s:s}", "name", "--exec=sh");
    expect_answer(rollout_try_submit(client, 1, RUN("named"), option), 422, "plan-refused");
    expect_refused(client, "SELECT 1;\n-- schemagate: run plain\n", "misplaced-directive",
                   "stands in no section");
    json_t *body = json_pack("{s:s}", "sql", RUN("other"));
    assert_non_null(strstr(http_call(client, "POST", body, "/v1/plan")->body, "unknown-runner"));
    expect_runs(&s.tool, "");
    expect_answer(rollout_try_submit(client, 1, RUN("named"), json_pack("{s:s}", "name", "fine")), 201, NULL);
    rollout_wait(client, 1, "complete");
    expect_runs(&s.tool, "1 expand fine\n");
}

static void a_runner_that_has_vanished_is_a_failure_to_be_retried(void **state)
{
    struct scene s = scene_of(state, "test -e go_on || exit 1");

    rollout_submit(s.client, 1, RUNS_TOOL);
    rollout_wait_status(s.client, 1, "failed");
    daemon_stop(s.daemon);
    struct daemon *without = world_daemon(s.world, NULL);
    rollout_act(&without->client, 1, "retry");
    sql_wait(s.world->sql, "SELECT error->>'message' = 'there is no runner ''tool''; none is configured' "
                           "FROM schemagate.migration WHERE version = 1");
    rollout_wait_status(&without->client, 1, "failed");
    daemon_stop(without);
    start_daemon(&s);
    expect_retry_completes(&s, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_runner_runs_where_it_stands),
        world_test(a_failure_says_why_and_a_retry_runs_it_again),
        world_test(it_is_killed_when_it_takes_too_long),
        world_test(an_operator_ends_it_by_cancelling),
        world_test(a_killed_daemon_takes_it_along_and_the_next_one_runs_it_again),
        world_test(a_daemon_that_stands_still_does_not_leave_it_running),
        world_test(a_lost_session_ends_it_and_the_next_term_runs_it_again),
        world_test(any_end_of_the_term_ends_it),
        world_test(stopping_ends_it_and_the_next_daemon_runs_it_again),
        world_test(a_contract_that_begins_with_one_stays_begun),
        world_test(what_is_not_configured_is_refused_at_once),
        world_test(a_runner_that_has_vanished_is_a_failure_to_be_retried),
    };
    return world_run(tests);
}
