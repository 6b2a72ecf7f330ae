/* Renewals: the requests that come most often. They touch neither the database nor a JSON tree of the
 * answer. */
#include "handlers.h"

#include "auth.h"
#include "documents.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>

#define RENEWALS_MAX 2000

struct health {
    struct object_state state;
    int64_t requests, errors;
};

static const struct field health_fields[] = {
    {"requests", FIELD_INTEGER, offsetof(struct health, requests), .required = true, .high = UINT32_MAX,
     .about = "served since the last renewal"},
    {"errors", FIELD_INTEGER, offsetof(struct health, errors), .required = true, .high = UINT32_MAX,
     .about = "failed among them"},
};
static const struct shape health_shape = SHAPE(health_fields, struct health, NULL);

/* One row set serves both forms: the longer one names the replica in the body, not in the path. */
struct renewal {
    const char *incarnation, *app, *instance;
    struct health health;
};

#define RENEWAL_FIELDS                                                                             \
    {"incarnation", FIELD_NAME, offsetof(struct renewal, incarnation), .required = true, .high = 128, \
     .about = "the one that runs"},                                                                  \
    {                                                                                              \
        "health", FIELD_OBJECT, offsetof(struct renewal, health), .shape = &health_shape,            \
            .about = "counts since the last renewal"                                                 \
    }

static const struct field renewal_fields[] = {RENEWAL_FIELDS};
const struct shape renewal_shape = SHAPE(renewal_fields, struct renewal, NULL);

static const struct field named_fields[] = {
    RENEWAL_FIELDS,
    {"app", FIELD_NAME, offsetof(struct renewal, app), .required = true, .high = 40,
     .about = "the application"},
    {"instance", FIELD_NAME, offsetof(struct renewal, instance), .required = true, .high = 128,
     .about = "its running copy"},
};
static const struct shape named_shape = SHAPE(named_fields, struct renewal, NULL);

struct renewals_body {
    const json_t *renewals;
};

static const struct field renewals_fields[] = {
    {"renewals", FIELD_LIST, offsetof(struct renewals_body, renewals), .required = true,
     .high = RENEWALS_MAX, .shape = &named_shape, .about = "one for each replica"},
};
const struct shape renewals_shape = SHAPE(renewals_fields, struct renewals_body, NULL);

static void renew(struct http_server *server, const struct renewal *renewal, const char *app,
                  const char *instance, struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    coordinator_renew(server->coordinator, app, instance, renewal->incarnation,
                      (uint32_t)renewal->health.requests, (uint32_t)renewal->health.errors, outcome);
}

void replicas_renew(struct request *r)
{
    struct outcome outcome;

    renew(r->server, request_body(r), r->at.app, r->at.instance, &outcome);
    if (outcome.problem != PROBLEM_NONE) {
        request_problem_outcome(r, &outcome);
        return;
    }
    struct buf body = request_buffer();
    struct writer w = WRITER_INIT(&body);
    document_lease(&w, NULL, r->server, outcome.replica);
    request_answer(r, 200, NULL, &body);
}

/* ---- many in one request ---- */

/* Decodes all of them; the caller frees. Mistakes name their place in the list. */
static struct renewal *read_renewals(const json_t *list, struct mistakes *mistakes)
{
    struct renewal *renewals = memory_new(json_array_size(list) * sizeof(*renewals));
    char prefix[32];
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)list, i, item) {
        snprintf(prefix, sizeof(prefix), "/renewals/%zu", i);
        decode_object(&named_shape, item, prefix, &renewals[i], mistakes);
    }
    return renewals;
}

static void write_result(struct writer *w, struct request *r, const struct renewal *renewal)
{
    struct outcome outcome = {.problem = PROBLEM_NONE};
    unsigned problem = PROBLEM_FORBIDDEN;

    if (auth_allows_app(r->caller, renewal->app)) {
        renew(r->server, renewal, renewal->app, renewal->instance, &outcome);
        problem = outcome.problem;
    }
    writer_open_object(w, NULL);
    writer_text(w, "app", renewal->app);
    writer_text(w, "instance", renewal->instance);
    if (problem == PROBLEM_NONE) {
        writer_number(w, "status", 200);
        document_lease(w, "replica", r->server, outcome.replica);
    } else {
        char urn[80];
        snprintf(urn, sizeof(urn), PROBLEM_URN "%s", problem_kind(problem)->slug);
        writer_number(w, "status", problem_kind(problem)->status);
        writer_text(w, "type", urn);
    }
    writer_close_object(w);
}

void replicas_renew_many(struct request *r)
{
    const struct renewals_body *asked = request_body(r);
    size_t count = json_array_size(asked->renewals);
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    struct mistakes mistakes;

    mistakes_begin(&mistakes, "body");
    struct renewal *renewals = read_renewals(asked->renewals, &mistakes);
    if (mistakes.count > 0) {
        request_problem_mistakes(r, &mistakes);
        free(renewals);
        return;
    }
    writer_open_object(&w, NULL);
    writer_open_list(&w, "results");
    for (size_t i = 0; i < count; i++)
        write_result(&w, r, &renewals[i]);
    writer_close_list(&w);
    writer_close_object(&w);
    free(renewals);
    request_answer(r, 200, NULL, &body);
}
