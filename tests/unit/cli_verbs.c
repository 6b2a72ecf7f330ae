/* The client verbs against a fake daemon: what they send, what they say, how they end. */
#include "cli_fake.h"

#include <schemagate/cli/cli.h>

#include <signal.h>

/* Starts `schemagate WORDS…`; output and errors go to files of their own for each call. */
#define START(fake, ...) \
    start(fake, (const char *const[]){getenv("SCHEMAGATE_BINARY"), __VA_ARGS__, NULL})
#define VERB(fake, ...) process_code(process_wait(START(fake, __VA_ARGS__), PATIENCE_MS))

static pid_t start(struct fake *fake, const char *const words[])
{
    char *output = fake_file(fake, "output"), *errors = fake_file(fake, "errors");
    remove(output);
    remove(errors);
    pid_t pid = process_start(&(struct process_options){
        .arguments = words,
        .output = output,
        .errors = errors,
        .environment = (const char *[]){fake->address, "SCHEMAGATE_TOKEN_FILE", NULL}});
    free(output);
    free(errors);
    return pid;
}

static void says(const struct fake *fake, const char *name, const char *part)
{
    if (!fake_says(fake, name, part))
        test_fail("%s does not say \"%s\"", name, part);
}

#define MIGRATION(phase, status, gate)                                                \
    "{\"version\":42,\"name\":\"split\",\"phase\":\"" phase "\",\"status\":\"" status \
    "\",\"summary\":\"the summary\",\"gate\":" gate ",\"index\":7}"
#define OPEN "{\"open\":true,\"holds_total\":0,\"holds\":[]}"
#define NO_FLEET                                                                            \
    "{\"open\":false,\"holds_total\":1,\"holds\":[{\"code\":\"fleet-missing\",\"message\":" \
    "\"no replica has ever reported\"}]}"

static void a_folder_goes_in_version_order(void **state)
{
    struct fake *fake = *state;
    struct fake_request request = {0};
    char *folder = fake_file(fake, "migrations"), command[300];
    snprintf(command, sizeof(command),
             "mkdir %s && cd %s && for f in 10_c V002__b 1_a; do echo '-- %%' >$f.sql; done",
             folder, folder);
    assert_int_equal(system(command), 0);
    fake_answer(fake, "POST", "/v1/migrations", 201, MIGRATION("queued", "waiting", OPEN));
    assert_int_equal(VERB(fake, "submit", folder), CLI_DONE);
    static const int versions[] = {1, 2, 10};
    for (size_t n = 0; n < 3; n++) {
        assert_true(fake_request(fake, "POST", "/v1/migrations", n, &request));
        json_t *version = fake_member(&request, "version");
        assert_int_equal(json_integer_value(version), versions[n]);
        json_decref(version);
    }
    says(fake, "output", "2 b: submitted");
    fake_answer(fake, "POST", "/v1/migrations", 409, FAKE_PROBLEM("version-conflict"));
    assert_int_equal(VERB(fake, "submit", folder), CLI_REFUSED);
    says(fake, "errors", "0 of 3");
    assert_int_equal(fake_count(fake, "POST", "/v1/migrations"), 4);
    free(folder);
}

static void wrong_names_send_nothing(void **state)
{
    struct fake *fake = *state;
    char *wrong = scratch_write(&fake->scratch, "wrong.sql", ""),
         *right = scratch_write(&fake->scratch, "1_a.sql", ""),
         *same = scratch_write(&fake->scratch, "01_b.sql", ""),
         *binary = scratch_write(&fake->scratch, "2_x.sql", "\xff");
    assert_int_equal(VERB(fake, "submit", right, wrong), CLI_USAGE);
    says(fake, "errors", "wrong.sql: not a migration's name");
    assert_int_equal(VERB(fake, "submit", right, same), CLI_USAGE);
    says(fake, "errors", "version 1 is in");
    assert_int_equal(VERB(fake, "submit", binary), CLI_USAGE);
    says(fake, "errors", "not UTF-8");
    assert_int_equal(fake_count(fake, "POST", ""), 0);
    free(wrong);
    free(right);
    free(same);
    free(binary);
}

static void an_empty_fleet_is_said_at_once(void **state)
{
    struct fake *fake = *state;
    char *file = scratch_write(&fake->scratch, "42_split.sql", "-- schemagate: expand\n");
    fake_answer(fake, "POST", "/v1/migrations", 201, MIGRATION("queued", "waiting", OPEN));
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanded", "waiting", NO_FLEET));
    pid_t pid = START(fake, "submit", file, "--wait", "complete");
    fake_wait_says(fake, "errors", "no replica has ever reported");
    fake_wait_says(fake, "errors", "schemagate run --app APP");
    fake_wait_says(fake, "errors", "s  42 split: the summary");
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("complete", "done", OPEN));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), CLI_DONE);
    says(fake, "output", "42 split: complete");
    free(file);
}

static void interrupt_detaches(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanding", "running", OPEN));
    pid_t pid = START(fake, "wait", "42", "--for", "expanded");
    fake_wait_says(fake, "errors", "waiting");
    kill(pid, SIGINT);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGINT);
    says(fake, "errors", "goes on");
    says(fake, "errors", "schemagate wait 42 --for expanded");
}

static void waits_end_as_documented(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanding", "running", OPEN));
    assert_int_equal(VERB(fake, "wait", "42", "--for", "expanded", "--timeout", "0.3"),
                     CLI_TIMEOUT);
    says(fake, "errors", "schemagate wait 42 --for expanded");
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanding", "failed", OPEN));
    assert_int_equal(VERB(fake, "wait", "42", "--for", "expanded"), CLI_FAILED);
    says(fake, "errors", "schemagate retry 42");
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("undone", "done", OPEN));
    assert_int_equal(VERB(fake, "wait", "42", "--for", "complete"), CLI_REFUSED);
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanded", "waiting", OPEN));
    assert_int_equal(VERB(fake, "wait", "42", "--for", "expanded", "--json"), CLI_DONE);
    says(fake, "output", "\"index\":7");
    assert_int_equal(VERB(fake, "wait", "43", "--for", "expanded"), CLI_USAGE);
    assert_int_equal(VERB(fake, "wait", "42"), CLI_USAGE);
}

#define BEHIND                                                                                   \
    "{\"open\":false,\"holds_total\":1,\"holds\":[{\"code\":\"replica-behind\","               \
    "\"app\":\"web\",\"instance\":\"a\",\"incarnation\":\"i1\",\"min\":1,\"max\":1,"              \
    "\"message\":\"m\"}]}"

static void a_wait_names_signs_of_life(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanded", "waiting", BEHIND));
    fake_answer(fake, "GET", "/v1/replicas", 200,
                "{\"items\":[{\"app\":\"web\",\"instance\":\"a\",\"incarnation\":\"i1\","
                "\"renewed_at\":\"2999-01-01T00:00:00.000Z\"}]}");
    pid_t pid = START(fake, "wait", "42", "--for", "complete");
    fake_wait_says(fake, "errors", "the summary: web/a (1..1, renewed 0s ago)");
    kill(pid, SIGINT);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGINT);
    assert_true(fake_count(fake, "GET", "holding=42") >= 1);
}

/* The daemon goes away in mid-wait and comes back. */
static void a_silence_is_ridden_out(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanding", "running", OPEN));
    pid_t pid = START(fake, "wait", "42", "--for", "expanded");
    fake_wait_says(fake, "errors", "waiting");
    fake_answer(fake, "GET", "/v1/migrations/42", 503, FAKE_PROBLEM("database-unavailable"));
    fake_wait_says(fake, "errors", "still waiting");
    fake_answer(fake, "GET", "/v1/migrations/42", 200, MIGRATION("expanded", "waiting", OPEN));
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), CLI_DONE);
}

static void operators_must_say_yes(void **state)
{
    struct fake *fake = *state;
    struct fake_request request = {0};
    fake_answer(fake, "POST", "/v1/migrations/42/undo", 200, MIGRATION("undoing", "running", OPEN));
    fake_answer(fake, "POST", "/v1/pause", 200, "{}");
    assert_int_equal(VERB(fake, "undo", "42"), CLI_USAGE);
    assert_int_equal(VERB(fake, "undo", "--yes"), CLI_USAGE);
    assert_int_equal(fake_count(fake, "POST", ""), 0);
    assert_int_equal(VERB(fake, "undo", "42", "--yes", "--reason", "it is wrong"), CLI_DONE);
    assert_true(fake_request(fake, "POST", "/v1/migrations/42/undo", 0, &request));
    assert_string_equal(request.body, "{\"reason\":\"it is wrong\"}");
    assert_int_equal(VERB(fake, "pause", "--yes"), CLI_DONE);
    assert_int_equal(fake_count(fake, "POST", "/v1/pause"), 1);
    fake_answer(fake, "POST", "/v1/migrations/42/", 409, FAKE_PROBLEM("invalid-transition"));
    assert_int_equal(VERB(fake, "retry", "42", "--yes"), CLI_REFUSED);
    says(fake, "errors", "so it is");
}

static void the_fleets_verbs_send_what_they_say(void **state)
{
    struct fake *fake = *state;
    struct fake_request request = {0};
    fake_answer(fake, "POST", "/v1/apps/web/replicas/a/evict", 200, "{}");
    fake_answer(fake, "POST", "/v1/apps/web/replicas/a/attest", 200, "{}");
    fake_answer(fake, "GET", "/v1/replicas", 200,
                "{\"items\":[{\"app\":\"web\",\"instance\":\"a\",\"state\":\"live\","
                "\"min\":1,\"max\":2}],\"next\":null}");
    assert_int_equal(VERB(fake, "evict", "web/a", "--yes"), CLI_USAGE);
    assert_int_equal(VERB(fake, "evict", "web", "--yes", "--reason", "r"), CLI_USAGE);
    assert_int_equal(VERB(fake, "evict", "web/a", "--yes", "--reason", "r"), CLI_DONE);
    assert_true(fake_request(fake, "POST", "/evict", 0, &request));
    assert_string_equal(request.body, "{\"reason\":\"r\"}");
    assert_int_equal(VERB(fake, "attest", "web/a", "--reason", "r", "--incarnation", "i2"),
                     CLI_DONE);
    assert_true(fake_request(fake, "POST", "/attest", 0, &request));
    assert_string_equal(request.body, "{\"incarnation\":\"i2\",\"reason\":\"r\"}");
    assert_int_equal(VERB(fake, "replicas", "--app", "web", "--state", "live"), CLI_DONE);
    says(fake, "output", "web/a    live   1..2");
    assert_int_equal(fake_count(fake, "GET", "app=web"), 1);
}

static void admission_is_an_exit_code(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/apps/web/admission", 200,
                "{\"verdict\":\"live\",\"pending\":[43]}");
    assert_int_equal(VERB(fake, "admission", "web", "41..42"), CLI_DONE);
    says(fake, "output", "schemagate gate 43");
    fake_answer(fake, "GET", "/v1/apps/web/admission", 200, "{\"verdict\":\"waiting\"}");
    assert_int_equal(VERB(fake, "admission", "web", "41..42"), CLI_UNREACHABLE);
    fake_answer(fake, "GET", "/v1/apps/web/admission", 200, "{\"verdict\":\"too-old\"}");
    assert_int_equal(VERB(fake, "admission", "web", "41..42", "--json"), CLI_TOO_OLD);
    assert_int_equal(VERB(fake, "admission", "web", "x"), CLI_USAGE);
}

static void tokens_stay_secret(void **state)
{
    struct fake *fake = *state;
    struct fake_request request = {0};
    char *token = scratch_write(&fake->scratch, "token", "very-secret\n");
    fake_answer(fake, "GET", "/status", 401, FAKE_PROBLEM("unauthorized"));
    assert_int_equal(VERB(fake, "status", "--token-file", token), CLI_REFUSED);
    assert_true(fake_request(fake, "GET", "/status", 0, &request));
    assert_string_equal(request.authorization, "Bearer very-secret");
    char *errors = fake_read(fake, "errors");
    assert_null(strstr(errors, "secret"));
    free(errors);
    assert_int_equal(VERB(fake, "status", "--token-file", "/nonesuch"), CLI_USAGE);
    assert_int_equal(VERB(fake, "status", "--url", "http://me:secret@127.0.0.1:1"), CLI_USAGE);
    errors = fake_read(fake, "errors");
    assert_null(strstr(errors, "secret"));
    free(errors);
    assert_int_equal(VERB(fake, "status", "--url", "unix:/nonesuch/socket"), CLI_UNREACHABLE);
    says(fake, "errors", "/nonesuch/socket");
    free(token);
}

static void events_are_pages_and_then_a_stream(void **state)
{
    struct fake *fake = *state;
    fake_answer(fake, "GET", "/v1/events", 200,
                "{\"items\":[{\"id\":5,\"at\":\"2026-11-20T09:30:00.000Z\","
                "\"kind\":\"operator.pause\",\"actor\":\"ann\",\"reason\":\"lunch\"}]}");
    assert_int_equal(VERB(fake, "events", "--version", "42"), CLI_DONE);
    says(fake, "output", "5  operator.pause  by ann  lunch");
    pid_t pid = START(fake, "events", "-f", "--json");
    fake_wait(fake, "GET", "after=5", 2);
    kill(pid, SIGINT);
    assert_int_equal(process_code(process_wait(pid, PATIENCE_MS)), 128 + SIGINT);
    assert_true(fake_count(fake, "GET", "wait=30") >= 1);
    says(fake, "output", "{\"id\":5,");
}

#define fake_test(function) cmocka_unit_test_setup_teardown(function, fake_open, fake_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(a_folder_goes_in_version_order),
        fake_test(wrong_names_send_nothing),
        fake_test(an_empty_fleet_is_said_at_once),
        fake_test(interrupt_detaches),
        fake_test(waits_end_as_documented),
        fake_test(a_wait_names_signs_of_life),
        fake_test(a_silence_is_ridden_out),
        fake_test(operators_must_say_yes),
        fake_test(the_fleets_verbs_send_what_they_say),
        fake_test(admission_is_an_exit_code),
        fake_test(tokens_stay_secret),
        fake_test(events_are_pages_and_then_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
