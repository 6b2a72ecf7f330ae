/* Registrations, renewals and farewells of simulated replicas. */
#include <support/fleet.h>

#include <support/json.h>
#include <support/test.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

json_t *fleet_body(const struct fleet_replica *replica)
{
    json_t *body = json_pack("{s:s, s:I, s:I}", "incarnation", replica->incarnation, "min",
                             (json_int_t)replica->min, "max", (json_int_t)replica->max);
    if (replica->lease_seconds)
        json_object_set_new(body, "lease_seconds", json_integer(replica->lease_seconds));
    if (replica->predecessor_ended)
        json_object_set_new(body, "predecessor_ended", json_true());
    return body;
}

const struct http_answer *fleet_register(struct http_client *client,
                                         const struct fleet_replica *replica)
{
    return http_call(client, "PUT", fleet_body(replica), "/v1/apps/%s/replicas/%s", replica->app,
                     replica->instance);
}

static const struct http_answer *post(struct http_client *client,
                                      const struct fleet_replica *replica, const char *verb,
                                      const char *reason)
{
    json_t *body = json_pack("{s:s, s:s*}", "incarnation", replica->incarnation, "reason", reason);
    return http_call(client, "POST", body, "/v1/apps/%s/replicas/%s/%s", replica->app,
                     replica->instance, verb);
}

const struct http_answer *fleet_renew(struct http_client *client,
                                      const struct fleet_replica *replica)
{
    return post(client, replica, "renew", NULL);
}

const struct http_answer *fleet_evict(struct http_client *client,
                                      const struct fleet_replica *replica)
{
    return post(client, replica, "evict", "the test says so");
}

const struct http_answer *fleet_attest(struct http_client *client,
                                       const struct fleet_replica *replica)
{
    return post(client, replica, "attest", "the test ended it");
}

const struct http_answer *fleet_leave(struct http_client *client,
                                      const struct fleet_replica *replica)
{
    return http_call(client, "DELETE", NULL, "/v1/apps/%s/replicas/%s?incarnation=%s", replica->app,
                     replica->instance, replica->incarnation);
}

void fleet_join(struct http_client *client, const struct fleet_replica *replica)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    const struct http_answer *answer = fleet_register(client, replica);
    /* 202: the version that it needs is being expanded at this moment. */
    while ((answer->status == 503 || answer->status == 202) && test_now_ms() < deadline) {
        test_pause();
        answer = fleet_register(client, replica);
    }
    if (strcmp(json_text_at(answer->json, "/state"), "live") != 0)
        test_fail("%s/%s is not live: %d %s", replica->app, replica->instance, answer->status,
                  answer->body);
}

/* What is gone need not be listed any more. */
static bool is_in_state(const struct http_answer *answer, const char *incarnation,
                        const char *state)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_at(answer->json, "/items"), i, item)
        if (strcmp(json_text_at(item, "/incarnation"), incarnation) == 0)
            return strcmp(json_text_at(item, "/state"), state) == 0;
    return strcmp(state, "gone") == 0;
}

void fleet_wait_state(struct http_client *client, const struct fleet_replica *replica,
                      const char *state)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        const struct http_answer *answer =
            http_call(client, "GET", NULL, "/v1/apps/%s/replicas/%s", replica->app,
                      replica->instance);
        if (is_in_state(answer, replica->incarnation, state))
            return;
        if (test_now_ms() > deadline)
            test_fail("%s/%s did not become %s: %s", replica->app, replica->instance, state,
                      answer->body);
        poll(NULL, 0, 50);
    }
}

static void allow_files(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < count) {
        limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int fleet_register_many(const struct http_client *client, const struct fleet_replica *like,
                        int count)
{
    int created = 0;
    int *connections = calloc((size_t)count, sizeof *connections);
    if (!connections)
        test_fail("out of memory");
    allow_files((rlim_t)count + 100);
    for (int i = 0; i < count; i++)
        connections[i] = http_send(client, "PUT", fleet_body(like), "/v1/apps/%s/replicas/r%d",
                                   like->app, i);
    for (int i = 0; i < count; i++)
        created += http_receive(connections[i]) == 201;
    free(connections);
    return created;
}
