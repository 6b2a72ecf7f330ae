/* Migrations over HTTP. */
#include <support/rollout.h>

#include <support/json.h>
#include <support/test.h>

#include <inttypes.h>
#include <string.h>

/* Seconds of one long poll; several fit into PATIENCE_MS. */
#define POLL_SECONDS 5

const struct http_answer *rollout_try_submit(struct http_client *client, int64_t version,
                                             const char *sql, json_t *more)
{
    json_t *body =
        json_pack("{s:I, s:s, s:s}", "version", (json_int_t)version, "name", "test", "sql",
                             sql);
    json_object_update(body, more);
    json_decref(more);
    return http_call(client, "POST", body, "/v1/migrations");
}

void rollout_submit(struct http_client *client, int64_t version, const char *sql)
{
    const struct http_answer *answer = rollout_try_submit(client, version, sql, NULL);
    if (answer->status != 201)
        test_fail("migration %" PRId64 " was not taken: %d %s", version, answer->status,
                  answer->body);
}

const struct http_answer *rollout_get(struct http_client *client, int64_t version)
{
    return http_call(client, "GET", NULL, "/v1/migrations/%" PRId64, version);
}

void rollout_wait(struct http_client *client, int64_t version, const char *phase)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *answer =
            http_call(client, "GET", NULL, "/v1/migrations/%" PRId64 "?until=%s&wait=%d", version,
                      phase,
                      POLL_SECONDS);
        if (strcmp(json_text_at(answer->json, "/phase"), phase) == 0)
            return;
        if (test_now_ms() > deadline ||
            strcmp(json_text_at(answer->json, "/status"), "failed") == 0)
            test_fail("migration %" PRId64 " is not %s: %s", version, phase, answer->body);
        test_pause();
    }
}

void rollout_wait_status(struct http_client *client, int64_t version, const char *status)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *answer = rollout_get(client, version);
        if (strcmp(json_text_at(answer->json, "/status"), status) == 0)
            return;
        if (test_now_ms() > deadline)
            test_fail("migration %" PRId64 " is not %s: %s", version, status, answer->body);
        test_pause();
    }
}

void rollout_wait_blocked(struct http_client *client, int64_t version)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *answer = rollout_get(client, version);
        if (json_array_size(json_at(answer->json, "/lock/blockers")) > 0)
            return;
        if (test_now_ms() > deadline)
            test_fail("migration %" PRId64 " is not blocked: %s", version, answer->body);
        test_pause();
    }
}

static bool find_hold(const struct http_answer *gate, const char *code)
{
    size_t i;
    json_t *hold;
    json_array_foreach(json_at(gate->json, "/holds"), i, hold)
        if (strcmp(json_text_at(hold, "/code"), code) == 0)
            return true;
    return false;
}

static const struct http_answer *get_gate(struct http_client *client, int64_t version)
{
    return http_call(client, "GET", NULL, "/v1/migrations/%" PRId64 "/gate", version);
}

bool rollout_has_hold(struct http_client *client, int64_t version, const char *code)
{
    return find_hold(get_gate(client, version), code);
}

void rollout_wait_hold(struct http_client *client, int64_t version, const char *code)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *gate = get_gate(client, version);
        if (find_hold(gate, code))
            return;
        if (test_now_ms() > deadline)
            test_fail("migration %" PRId64 " is not held by %s: %s", version, code, gate->body);
        test_pause();
    }
}

void rollout_act(struct http_client *client, int64_t version, const char *action)
{
    const struct http_answer *answer =
        http_call(client, "POST", json_pack("{s:s}", "reason", "the test says so"),
                  "/v1/migrations/%" PRId64 "/%s", version, action);
    if (answer->status != 200)
        test_fail("%s %" PRId64 ": %d %s", action, version, answer->status, answer->body);
}

void rollout_expect_phase(struct http_client *client, int64_t version, const char *phase,
                          const char *status)
{
    const struct http_answer *answer = rollout_get(client, version);
    if (strcmp(json_text_at(answer->json, "/phase"), phase) != 0 ||
        strcmp(json_text_at(answer->json, "/status"), status) != 0)
        test_fail("migration %" PRId64 " is not %s/%s: %s", version, phase, status, answer->body);
}

void rollout_expect_window(struct http_client *client, int64_t floor, int64_t ceiling)
{
    const struct http_answer *answer = http_call(client, "GET", NULL, "/status");
    if (json_number_at(answer->json, "/window/floor") != floor ||
        json_number_at(answer->json, "/window/ceiling") != ceiling)
        test_fail("the window is not [%" PRId64 ", %" PRId64 "]: %s", floor, ceiling, answer->body);
}
