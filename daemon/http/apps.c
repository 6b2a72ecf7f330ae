/* Applications: what is meant to run, what an operator vouches for, and whether a range could start. */
#include "handlers.h"

#include "documents.h"
#include "list.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>

/* ---- reading ---- */

static const struct field page_query_fields[] = {LIST_FIELDS};
const struct shape page_query_shape = SHAPE(page_query_fields, struct list_query, NULL);

void apps_list(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    const struct application *app = coordinator_first_app(c);
    struct list list;

    if (!list_begin(&list, r, request_query(r)))
        return;
    if (*list.from != '\0') {
        app = coordinator_find_app(c, list.from);
        if (app == NULL) {
            list_refuse_cursor(&list);
            return;
        }
        app = coordinator_next_app(app);
    }
    for (; app != NULL && list_add(&list, "%s", app->gate.name); app = coordinator_next_app(app)) {
        document_app(&list.w, NULL, app);
    }
    list_finish(&list, app != NULL);
}

static void answer_app(struct request *r, unsigned status, const struct application *app)
{
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    document_app(&w, NULL, app);
    request_answer(r, status, NULL, &body);
}

void apps_show(struct request *r)
{
    const struct application *app = coordinator_find_app(r->server->coordinator, r->at.app);

    if (app == NULL)
        request_problem_f(r, PROBLEM_UNKNOWN_APP, "no replica of %s has ever registered, and nobody "
                          "declared it", r->at.app);
    else
        answer_app(r, 200, app);
}

/* ---- changing ---- */

struct desired {
    struct object_state state;
    int64_t min, max;
    const char *release;
};

static void check_desired(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct desired *desired = values;

    if (desired->min > desired->max)
        mistakes_add(mistakes, prefix, "max", "must not be below min");
}

static const struct field desired_fields[] = {
    {"min", FIELD_INTEGER, offsetof(struct desired, min), .required = true, .high = SCHEMA_VERSION_MAX,
     .about = "the lowest version that the release works with"},
    {"max", FIELD_INTEGER, offsetof(struct desired, max), .required = true, .high = SCHEMA_VERSION_MAX,
     .about = "the highest one"},
    {"release", FIELD_TEXT, offsetof(struct desired, release), .high = 200, .about = "its name"},
};
static const struct shape desired_shape = SHAPE(desired_fields, struct desired, check_desired);

struct app_body {
    int64_t min_replicas;
    struct desired desired;
};

static const struct field app_fields[] = {
    {"min_replicas", FIELD_INTEGER, offsetof(struct app_body, min_replicas), .high = 1000000,
     .fallback = -1, .about = "with fewer live ones no contract runs"},
    {"desired", FIELD_OBJECT, offsetof(struct app_body, desired), .shape = &desired_shape,
     .nullable = true, .about = "the release that is meant to run; null: none is"},
};
const struct shape app_shape = SHAPE(app_fields, struct app_body, NULL);

static void on_app_answer(void *context, const struct outcome *outcome)
{
    struct request *r = context;

    if (!request_succeeded(r, outcome))
        return;
    if (outcome->app == NULL || r->route->method == METHOD_DELETE)
        request_answer_empty(r, 204);
    else
        answer_app(r, outcome->created ? 201 : 200, outcome->app);
}

void apps_change(struct request *r)
{
    const struct app_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];
    const struct app_change change = {
        .app = r->at.app,
        .set_min_replicas = body->min_replicas >= 0,
        .min_replicas = body->min_replicas,
        .set_desired = body->desired.state.given && !body->desired.state.null,
        .clear_desired = body->desired.state.null,
        .desired = {body->desired.min, body->desired.max},
        .desired_release = body->desired.release != NULL ? body->desired.release : "",
        .actor = caller_actor(r->caller, actor),
    };

    request_expect(r);
    coordinator_change_app(r->server->coordinator, &change, on_app_answer, r);
}

struct compatible_body {
    const char *release, *reason;
    int64_t max;
};

#define AT(member) offsetof(struct compatible_body, member)
static const struct field compatible_fields[] = {
    {"release", FIELD_TEXT, AT(release), .required = true, .low = 1, .high = 200,
     .about = "as its replicas name it"},
    {"max", FIELD_INTEGER, AT(max), .required = true, .high = SCHEMA_VERSION_MAX,
     .about = "the highest version that it works with after all"},
    {"reason", FIELD_TEXT, AT(reason), .required = true, .low = 1, .high = 1000,
     .about = "how that is known"},
};
#undef AT
const struct shape compatible_shape = SHAPE(compatible_fields, struct compatible_body, NULL);

void apps_record_compatible(struct request *r)
{
    const struct compatible_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_record_compatible(r->server->coordinator, r->at.app, body->release, body->max,
                                  body->reason, caller_actor(r->caller, actor), on_app_answer, r);
}

struct reason_query {
    const char *reason;
};

static const struct field reason_query_fields[] = {
    {"reason", FIELD_TEXT, offsetof(struct reason_query, reason), .required = true, .low = 1,
     .high = 1000, .about = "for the audit trail"},
};
const struct shape reason_query_shape = SHAPE(reason_query_fields, struct reason_query, NULL);

void apps_retire(struct request *r)
{
    const struct reason_query *query = request_query(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_retire_app(r->server->coordinator, r->at.app, query->reason,
                           caller_actor(r->caller, actor), on_app_answer, r);
}

/* ---- admission ---- */

struct range_query {
    int64_t min, max;
};

static void check_range(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct range_query *query = values;

    if (query->min > query->max)
        mistakes_add(mistakes, prefix, "max", "must not be below min");
}

static const struct field range_query_fields[] = {
    {"min", FIELD_INTEGER, offsetof(struct range_query, min), .required = true,
     .high = SCHEMA_VERSION_MAX, .about = "the lowest version that the code works with"},
    {"max", FIELD_INTEGER, offsetof(struct range_query, max), .required = true,
     .high = SCHEMA_VERSION_MAX, .about = "the highest one"},
};
const struct shape range_query_shape = SHAPE(range_query_fields, struct range_query, check_range);

#define PENDING_MAX 100

void apps_admission(struct request *r)
{
    static const char *const verdicts[] = {
        [ADMISSION_LIVE] = "live",
        [ADMISSION_WAITING] = "waiting",
        [ADMISSION_TOO_OLD] = "too-old",
        [ADMISSION_NEVER] = "too-old",
    };
    const struct range_query *query = request_query(r);
    const struct coordinator *c = r->server->coordinator;
    int64_t pending[PENDING_MAX];
    size_t count;
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    enum admission verdict = coordinator_admission(c, (struct version_range){query->min, query->max},
                                                   pending, PENDING_MAX, &count);

    writer_open_object(&w, NULL);
    writer_text(&w, "app", r->at.app);
    writer_number(&w, "min", query->min);
    writer_number(&w, "max", query->max);
    writer_text(&w, "verdict", verdicts[verdict]);
    document_window(&w, "window", &coordinator_window(c)->window);
    writer_open_list(&w, "pending");
    for (size_t i = 0; i < count && i < PENDING_MAX; i++)
        writer_number(&w, NULL, pending[i]);
    writer_close_list(&w);
    writer_close_object(&w);
    request_answer(r, 200, NULL, &body);
}
