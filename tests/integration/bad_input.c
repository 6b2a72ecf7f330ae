/* Malformed, oversized, truncated, wrongly typed and out-of-range requests: each gets its status
 * and a problem that names the member, and nothing of any of them is recorded. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bad {
    const char *method, *path, *body;
    int status;
    const char *pointer; /* that `errors` must name; NULL: none */
};

#define PUT_A "PUT", "/v1/apps/web/replicas/a"
#define RENEW_A "POST", "/v1/apps/web/replicas/a/renew"
#define POST_M "POST", "/v1/migrations"
#define FORTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_NAME FORTY FORTY FORTY FORTY

static const struct bad table[] = {
    /* not JSON */
    {PUT_A, "", 400, NULL},
    {PUT_A, "{", 400, NULL},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 1, \"max\": 1} x", 400, NULL},
    {PUT_A, "{\"incarnation\": \"\xff\xfe\", \"min\": 0, \"max\": 1}", 400, NULL},
    {POST_M, "not json", 400, NULL},
    {"POST", "/v1/renewals", "[", 400, NULL},
    /* JSON of the wrong kind */
    {PUT_A, "[]", 422, NULL},
    {PUT_A, "{\"incarnation\": 1, \"min\": 0, \"max\": 1}", 422, "/incarnation"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": \"0\", \"max\": 1}", 422, "/min"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1.5}", 422, "/max"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": null}", 422, "/max"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"knows\": [1]}", 422, "/knows"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"predecessor_ended\": \"yes\"}", 422,
     "/predecessor_ended"},
    {RENEW_A, "{\"incarnation\": \"i\", \"health\": 5}", 422, "/health"},
    {RENEW_A, "{\"incarnation\": \"i\", \"health\": {\"requests\": \"many\"}}", 422,
     "/health/requests"},
    {"POST", "/v1/renewals", "{\"renewals\": {}}", 422, "/renewals"},
    {"POST", "/v1/baseline", "{\"version\": \"40\"}", 422, "/version"},
    /* members that are missing */
    {PUT_A, "{}", 422, "/incarnation"},
    {PUT_A, "{\"incarnation\": \"i\", \"max\": 1}", 422, "/min"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 1}", 422, "/max"},
    {RENEW_A, "{}", 422, "/incarnation"},
    {POST_M, "{\"sql\": \"SELECT 1\"}", 422, "/version"},
    {"POST", "/v1/apps/web/compatible", "{\"release\": \"r\", \"max\": 3}", 422, "/reason"},
    /* members that nobody knows */
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"lease\": 30}", 422, "/lease"},
    {RENEW_A, "{\"incarnation\": \"i\", \"state\": \"live\"}", 422, "/state"},
    {POST_M, "{\"version\": 1, \"sql\": \"SELECT 1\", \"down\": \"\"}", 422, "/down"},
    /* out of range */
    {PUT_A, "{\"incarnation\": \"i\", \"min\": -1, \"max\": 1}", 422, "/min"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 281474976710656}", 422, "/max"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 99999999999999999999}", 422, "/max"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 3, \"max\": 1}", 422, "/max"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"lease_seconds\": 4}", 422,
     "/lease_seconds"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"lease_seconds\": 3601}", 422,
     "/lease_seconds"},
    {PUT_A, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"on_lost\": \"panic\"}", 422,
     "/on_lost"},
    {PUT_A, "{\"incarnation\": \"\", \"min\": 0, \"max\": 1}", 422, "/incarnation"},
    {PUT_A,
     "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1, \"application_name\": \"" LONG_NAME "\"}",
     422,
     "/application_name"},
    {"PUT", "/v1/apps/web/replicas/" LONG_NAME, "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1}",
     422,
     NULL},
    {"PUT", "/v1/apps/" LONG_NAME "/replicas/a", "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1}",
     422,
     NULL},
    {"PUT", "/v1/apps/w%20b/replicas/a", "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1}", 422,
     NULL},
    {"PUT", "/v1/apps/web/replicas/a?wait=99999",
     "{\"incarnation\": \"i\", \"min\": 0, \"max\": 1}",
     422, NULL},
    {POST_M, "{\"version\": 0, \"sql\": \"SELECT 1\"}", 422, "/version"},
    {POST_M, "{\"version\": 281474976710656, \"sql\": \"SELECT 1\"}", 422, "/version"},
    {POST_M, "{\"version\": 1, \"sql\": \"SELECT 1\", \"expand\": \"SELECT 1\"}", 422, NULL},
    {POST_M, "{\"version\": 1, \"expand\": \"SELECT 1\", \"approval\": \"maybe\"}", 422,
     "/approval"},
    {POST_M, "{\"version\": 1, \"expand\": \"SELECT 1\", \"soak_seconds\": -1}", 422,
     "/soak_seconds"},
    {POST_M, "{\"version\": 1, \"expand\": \"SELECT 1\", \"labels\": {\"a\": 1}}", 422,
     "/labels/a"},
    {"POST", "/v1/plan", "{\"version\": 1}", 422, "/sql"},
    {"POST", "/v1/plan", "{\"sql\": 1}", 422, "/sql"},
    {"POST", "/v1/plan", "{\"sql\": \"SELECT 1\", \"down\": \"\"}", 422, "/down"},
    {"POST", "/v1/plan", "{\"version\": -1, \"sql\": \"SELECT 1\"}", 422, "/version"},
    {"PUT", "/v1/apps/web", "{\"min_replicas\": -1}", 422, "/min_replicas"},
    {"PUT", "/v1/apps/web", "{\"desired\": {\"min\": 3, \"max\": 1}}", 422, "/desired/max"},
    {"GET", "/v1/replicas?limit=0", NULL, 422, NULL},
    {"GET", "/v1/replicas?limit=1001", NULL, 422, NULL},
    {"GET", "/v1/replicas?colour=red", NULL, 422, NULL},
    {"GET", "/v1/migrations/abc", NULL, 422, NULL},
    {"GET", "/v1/apps/web/admission?min=1", NULL, 422, NULL},
    {"DELETE", "/v1/apps/web/replicas/a", NULL, 422, NULL},
    /* nothing there */
    {"GET", "/v1/nonesuch", NULL, 404, NULL},
    {"GET", "/v1/migrations/7", NULL, 404, NULL},
    {"GET", "/v1/migrations/7/gate", NULL, 404, NULL},
    {"POST", "/v1/migrations/7/pause", NULL, 404, NULL},
    {"GET", "/v1/apps/nonesuch", NULL, 404, NULL},
    {"GET", "/v1/apps/nonesuch/replicas/a", NULL, 404, NULL},
    {RENEW_A, "{\"incarnation\": \"i\"}", 404, NULL},
    /* methods */
    {"PATCH", "/v1/migrations", "{}", 405, NULL},
    {"DELETE", "/status", NULL, 405, NULL},
};

static void every_mistake_is_named_and_nothing_is_recorded(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    int wrong = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct bad *bad = &table[i];
        const struct http_answer *answer =
            http_try(client, bad->method, bad->body, NULL, bad->path);
        char *type = http_header(answer, "Content-Type");
        if (answer->status != bad->status || strcmp(type, "application/problem+json") != 0 ||
            strlen(json_text_at(answer->json, "/detail")) == 0 ||
            json_number_at(answer->json, "/status") != bad->status ||
            (bad->pointer && !expect_names_pointer(answer, bad->pointer))) {
            print_error("%s %s %s\n  expected %d %s, not %d %s\n", bad->method, bad->path,
                        bad->body ? bad->body : "", bad->status, bad->pointer ? bad->pointer : "",
                        answer->status, answer->body);
            wrong++;
        }
        free(type);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(world_rows(world, "replica"), 0);
    assert_int_equal(world_rows(world, "migration"), 0);
    assert_int_equal(world_rows(world, "app"), 0);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event "
                                            "WHERE kind NOT LIKE 'daemon.%%'"),
                     0);
}

static void other_media_types_are_refused_and_the_right_one_is_named(void **state)
{
    struct http_client *client = world_client(*state);
    const struct http_answer *answer =
        http_try(client, "POST", "{}", "Content-Type: text/plain", "/v1/migrations");
    /* curl sends our header beside its own: the daemon sees two of them. */
    assert_true(answer->status == 415 || answer->status == 400 || answer->status == 422);
    static const char request[] =
        "POST /v1/migrations HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
        "Content-Length: 2\r\n\r\n{}";
    int connection = http_raw(client, request, strlen(request));
    assert_int_equal(http_receive(connection), 415);
    assert_int_equal(http_try(client, "GET", NULL, "Accept: image/png", "/status")->status, 406);
}

static void a_body_over_the_limit_is_refused(void **state)
{
    struct world *world = *state;
    const char *environment[] = {"SCHEMAGATE_HTTP_MAX_BODY_BYTES=20000", NULL};
    struct http_client *client =
        &world_daemon(world, &(struct daemon_options){.environment = environment})->client;
    char *sql = malloc(40001);
    assert_non_null(sql);
    memset(sql, ' ', 40000);
    sql[40000] = '\0';
    const struct http_answer *answer = rollout_try_submit(client, 1, sql, NULL);
    expect_answer(answer, 413, "too-large");
    free(sql);
    /* The same without a length in front. */
    static const char head[] =
        "POST /v1/migrations HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/json\r\n\r\n";
    char chunks[sizeof head + 45000] = "";
    size_t length = strlen(strcpy(chunks, head));
    for (int i = 0; i < 40; i++)
        length += (size_t)sprintf(chunks + length, "400\r\n%1024s\r\n", "");
    length += (size_t)sprintf(chunks + length, "0\r\n\r\n");
    int status = http_receive(http_raw(client, chunks, length));
    assert_true(status == 413 || status == 0);
    assert_int_equal(world_rows(world, "migration"), 0);
    rollout_submit(client, 1, SAMPLE_CREATE);
}

static void requests_that_could_be_read_in_two_ways_are_refused(void **state)
{
    struct http_client *client = world_client(*state);
    static const char *const requests[] = {
        "GET /status HTTP/1.1\r\n\r\n", /* no Host */
        ("POST /v1/pause HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"
         "Content-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        "GARBAGE\r\n\r\n",
        "GET /status HTTP/9.9\r\nHost: h\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int status = http_receive(http_raw(client, requests[i], strlen(requests[i])));
        if (status < 400 && status != 0)
            test_fail("answered %d to %s", status, requests[i]);
    }
    const struct http_answer *answer = http_call(client, "GET", NULL, "/status");
    assert_true(json_is_null(json_at(answer->json, "/paused")));
}

static void headers_that_are_too_large_are_answered(void **state)
{
    struct http_client *client = world_client(*state);
    char request[40000] = "GET /status HTTP/1.1\r\nHost: h\r\nX-Padding: ";
    size_t length = strlen(request);
    memset(request + length, 'x', 30000);
    strcpy(request + length + 30000, "\r\n\r\n");
    assert_int_equal(http_receive(http_raw(client, request, strlen(request))), 431);
}

static void a_connection_that_dies_in_its_body_costs_nothing(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    static const char request[] = "PUT /v1/apps/web/replicas/a HTTP/1.1\r\nHost: h\r\n"
                                  "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
                                  "{\"incarnation\": \"i\", \"min\": 0,";
    for (size_t cut = 20; cut < sizeof request; cut += 9)
        close(http_raw(client, request, cut));
    assert_int_equal(fleet_register(client, REPLICA("b", 0, 0))->status, 201);
    assert_int_equal(world_rows(world, "replica"), 1);
}

/* Whoever leaves while its registration is on its way may be registered or not; the daemon and its
 * registry agree about it. */
static void a_connection_that_dies_before_its_answer_does_no_harm(void **state)
{
    struct world *world = *state;
    struct http_client *client = world_client(world);
    for (int i = 0; i < 50; i++)
        close(http_send(client, "PUT", fleet_body(REPLICA("a", 0, 9)), "/v1/apps/web/replicas/r%d",
                        i));
    expect_answer(fleet_register(client, REPLICA("last", 0, 9)), 201, NULL);
    const struct http_answer *status = http_call(client, "GET", NULL, "/status");
    assert_int_equal(json_number_at(status->json, "/replicas/live"), world_rows(world, "replica"));
}

static void a_method_that_is_not_offered_names_those_that_are(void **state)
{
    struct http_client *client = world_client(*state);
    const struct http_answer *answer = http_call(client, "PATCH", NULL, "/v1/migrations");
    char *allow = http_header(answer, "Allow");
    assert_non_null(strstr(allow, "POST"));
    assert_non_null(strstr(allow, "GET"));
    free(allow);
    answer = http_call(client, "OPTIONS", NULL, "/v1/migrations");
    assert_in_range(answer->status, 200, 204);
    allow = http_header(answer, "Allow");
    assert_non_null(strstr(allow, "POST"));
    free(allow);
    assert_int_equal(http_call(client, "HEAD", NULL, "/status")->status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(every_mistake_is_named_and_nothing_is_recorded),
        world_test(other_media_types_are_refused_and_the_right_one_is_named),
        world_test(a_body_over_the_limit_is_refused),
        world_test(requests_that_could_be_read_in_two_ways_are_refused),
        world_test(headers_that_are_too_large_are_answered),
        world_test(a_connection_that_dies_in_its_body_costs_nothing),
        world_test(a_connection_that_dies_before_its_answer_does_no_harm),
        world_test(a_method_that_is_not_offered_names_those_that_are),
    };
    return world_run(tests);
}
