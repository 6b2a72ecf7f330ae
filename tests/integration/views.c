/* What people and monitoring look at: status, page, metrics, events, and the conventions of all
 * answers. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdlib.h>
#include <string.h>

static struct http_client *begin(struct world *world)
{
    struct http_client *client = world_client(world);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    return client;
}

static void the_status_says_everything_at_a_glance(void **state)
{
    struct http_client *client = begin(*state);
    const struct http_answer *answer = http_call(client, "GET", NULL, "/status");
    assert_string_equal(json_text_at(answer->json, "/service"), "schemagate");
    assert_string_equal(json_text_at(answer->json, "/role"), "leader");
    assert_string_equal(json_text_at(answer->json, "/database/state"), "connected");
    assert_int_equal(strlen(json_text_at(answer->json, "/database/timeline")), 8);
    assert_true(json_number_at(answer->json, "/epoch") >= 1);
    assert_string_equal(json_text_at(answer->json, "/summary"),
                        "contract 2 waits for 1 of 2 replicas");
    assert_int_equal(json_number_at(answer->json, "/replicas/live"), 2);
    assert_int_equal(json_number_at(answer->json, "/replicas/by_app/web/live"), 2);
    assert_int_equal(json_array_size(json_at(answer->json, "/replicas/by_app/web/ranges")), 2);
    assert_int_equal(json_number_at(answer->json, "/migrations/latest"), 2);
    assert_int_equal(json_number_at(answer->json, "/migrations/complete"), 1);
    answer = rollout_get(client, 2);
    assert_string_equal(json_text_at(answer->json, "/summary"),
                        "1 of 2 replicas still need a version below 2");
    assert_true(json_array_size(json_at(answer->json, "/actions")) > 0);
}

static void a_browser_gets_a_page(void **state)
{
    struct http_client *client = begin(*state);
    static const char *const paths[] = {"/", "/status"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct http_answer *answer =
            http_try(client, "GET", NULL, "Accept: text/html", paths[i]);
        assert_int_equal(answer->status, 200);
        char *type = http_header(answer, "Content-Type");
        assert_non_null(strstr(type, "text/html"));
        free(type);
        assert_non_null(strstr(answer->body, "web"));
        assert_null(strstr(answer->body, "<script"));
        char *policy = http_header(answer, "Content-Security-Policy");
        assert_non_null(strstr(policy, "default-src"));
        free(policy);
    }
}

/* Names come from outside: none of them may become markup. */
static void the_page_shows_names_as_text(void **state)
{
    struct http_client *client = begin(*state);
    json_t *name = json_pack("{s:s}", "name", "<b>bold</b>");
    const struct http_answer *answer =
        rollout_try_submit(client, 3, "-- schemagate: contract\nDROP TABLE customer;\n", name);
    if (answer->status == 201) {
        answer = http_try(client, "GET", NULL, "Accept: text/html", "/");
        assert_null(strstr(answer->body, "<b>bold"));
    } else {
        expect_answer(answer, 422, NULL);
    }
}

static void metrics_have_no_label_for_an_instance(void **state)
{
    struct http_client *client = begin(*state);
    const struct http_answer *answer = http_call(client, "GET", NULL, "/metrics");
    char *type = http_header(answer, "Content-Type");
    assert_non_null(strstr(type, "text/plain"));
    free(type);
    assert_non_null(strstr(answer->body, "# TYPE schemagate_"));
    assert_null(strstr(answer->body, "\"old\""));
    assert_null(strstr(answer->body, "instance="));
}

static void events_come_in_pages_and_by_kind(void **state)
{
    struct http_client *client = begin(*state);
    const struct http_answer *answer = http_call(client, "GET", NULL, "/v1/events?limit=3");
    assert_int_equal(json_array_size(json_at(answer->json, "/items")), 3);
    int64_t last = json_number_at(answer->json, "/items/2/id");
    assert_true(last > json_number_at(answer->json, "/items/0/id"));
    answer = http_call(client, "GET", NULL, "/v1/events?after=%d&limit=1", (int)last);
    assert_true(json_number_at(answer->json, "/items/0/id") > last);
    answer = http_call(client, "GET", NULL, "/v1/events?kind=replica.registered");
    assert_int_equal(json_array_size(json_at(answer->json, "/items")), 2);
    assert_string_equal(json_text_at(answer->json, "/items/0/app"), "web");
    answer = http_call(client, "GET", NULL, "/v1/events?version=2");
    assert_string_equal(json_text_at(answer->json, "/items/0/kind"), "migration.submitted");
}

static void an_operators_act_is_recorded_with_its_reason(void **state)
{
    struct http_client *client = begin(*state);
    rollout_act(client, 2, "pause");
    const struct http_answer *answer =
        http_call(client, "GET", NULL, "/v1/events?kind=operator.pause");
    assert_string_equal(json_text_at(answer->json, "/items/0/reason"), "the test says so");
    assert_non_null(strstr(json_text_at(answer->json, "/items/0/actor"), "operator:"));
}

static void a_request_id_comes_back(void **state)
{
    struct http_client *client = world_client(*state);
    const struct http_answer *answer =
        http_try(client, "GET", NULL, "X-Request-Id: abc-123", "/livez");
    char *id = http_header(answer, "X-Request-Id");
    assert_string_equal(id, "abc-123");
    free(id);
}

static void pretty_answers_are_indented(void **state)
{
    struct http_client *client = world_client(*state);
    assert_null(strstr(http_call(client, "GET", NULL, "/status")->body, "\n  "));
    assert_non_null(strstr(http_call(client, "GET", NULL, "/status?pretty")->body, "\n  "));
}

static void a_stale_precondition_is_refused(void **state)
{
    struct http_client *client = begin(*state);
    char *tag = http_header(rollout_get(client, 2), "ETag"), *header = NULL;
    assert_true(strlen(tag) > 0);
    fleet_renew(client, REPLICA("old", 1, 1));
    char *again = http_header(rollout_get(client, 2), "ETag");
    assert_string_equal(tag, again); /* renewals never change it */
    free(again);
    assert_true(asprintf(&header, "If-Match: %s", tag) > 0);
    assert_int_equal(http_try(client, "POST", "{}", header, "/v1/migrations/2/pause")->status, 200);
    assert_int_equal(http_try(client, "POST", "{}", header, "/v1/migrations/2/resume")->status,
                     412);
    free(header);
    free(tag);
}

static void probes_answer(void **state)
{
    struct http_client *client = world_client(*state);
    expect_answer(http_call(client, "GET", NULL, "/livez"), 200, NULL);
    const struct http_answer *answer = http_call(client, "GET", NULL, "/readyz?verbose");
    expect_answer(answer, 200, NULL);
    assert_true(strlen(answer->body) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_status_says_everything_at_a_glance),
        world_test(a_browser_gets_a_page),
        world_test(the_page_shows_names_as_text),
        world_test(metrics_have_no_label_for_an_instance),
        world_test(events_come_in_pages_and_by_kind),
        world_test(an_operators_act_is_recorded_with_its_reason),
        world_test(a_request_id_comes_back),
        world_test(pretty_answers_are_indented),
        world_test(a_stale_precondition_is_refused),
        world_test(probes_answer),
    };
    return world_run(tests);
}
