/* POST /v1/migrations and /v1/plan: a file, or its parts; stored, or only planned. */
#include "handlers.h"

#include "documents.h"

#include <schemagate/http/plan_document.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct submission_body {
    int64_t version, soak_seconds, keep_hours;
    const char *name, *sql;
    const char *parts[PLAN_WRITTEN_SECTIONS];
    const json_t *labels;
    int approval;
};

static const char *const approval_choices[] = {"auto", "manual", NULL};

static bool has_parts(const struct submission_body *body)
{
    for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++)
        if (body->parts[i] != NULL)
            return true;
    return false;
}

static void check_submission(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct submission_body *body = values;

    if (body->sql != NULL && has_parts(body))
        mistakes_add(mistakes, prefix, "sql", "stands beside parts: send the file or its parts, not both");
    else if (body->sql == NULL && !has_parts(body))
        mistakes_add(mistakes, prefix, "sql", "is required, or parts: expand, backfill, contract, undo");
}

#define AT(member) offsetof(struct submission_body, member)
#define VERSION_FIELD(required_)                                                                   \
    {"version", FIELD_INTEGER, AT(version), .required = required_, .low = 1, .high = SCHEMA_VERSION_MAX,  \
     .about = "above every version that was ever submitted"}
#define OTHER_FIELDS                                                                               \
    {"name", FIELD_TEXT, AT(name), .high = 200, .about = "for people"},                            \
    {"sql", FIELD_SQL, AT(sql), .about = "the file's text"},                                       \
    {"expand", FIELD_SQL, AT(parts[PLAN_EXPAND]), .about = "instead of `sql`: what only adds"},    \
    {"backfill", FIELD_SQL, AT(parts[PLAN_BACKFILL]), .about = "instead of `sql`: what fills"},    \
    {"contract", FIELD_SQL, AT(parts[PLAN_CONTRACT]),                                              \
     .about = "instead of `sql`: what older code trips over"},                                     \
    {"undo", FIELD_SQL, AT(parts[PLAN_UNDO]), .about = "instead of `sql`: what takes the expand back"},\
    {"approval", FIELD_CHOICE, AT(approval), .choices = approval_choices,                          \
     .about = "manual: the contract waits for an operator"},                                       \
    {"soak_seconds", FIELD_INTEGER, AT(soak_seconds), .high = 31536000, .fallback = -1,            \
     .about = "how long the contract waits after the last old replica"},                           \
    {"keep_hours", FIELD_INTEGER, AT(keep_hours), .high = 87600, .fallback = -1,                   \
     .about = "how long what is dropped stays restorable"},                                        \
    {"labels", FIELD_TEXTS, AT(labels), .high = 50, .about = "shown beside the migration"}
static const struct field submission_fields[] = {
    VERSION_FIELD(true),
    OTHER_FIELDS,
};
/* A text that is only planned may have no version yet. */
static const struct field plan_fields[] = {
    VERSION_FIELD(false),
    OTHER_FIELDS,
};
#undef OTHER_FIELDS
#undef VERSION_FIELD
#undef AT
const struct shape plan_shape = SHAPE(plan_fields, struct submission_body, check_submission);
const struct shape submission_shape = SHAPE(submission_fields, struct submission_body, check_submission);

static void answer_baselined(struct request *r, const struct submission_body *body)
{
    struct buf text = BUF_INIT(0);
    struct writer w = WRITER_INIT(&text);

    writer_open_object(&w, NULL);
    writer_number(&w, "version", body->version);
    writer_text(&w, "name", body->name != NULL ? body->name : "");
    writer_text(&w, "phase", "complete");
    writer_text(&w, "status", migration_status_name(STATUS_DONE));
    writer_text(&w, "summary", "at or below the baseline: the database had it before");
    writer_bool(&w, "baselined", true);
    writer_close_object(&w);
    request_answer(r, 200, NULL, &text);
}

static void on_submitted(void *context, const struct outcome *outcome)
{
    struct request *r = context;
    struct buf text = BUF_INIT(0);
    struct writer w = WRITER_INIT(&text);

    if (!request_succeeded(r, outcome))
        return;
    const struct submission_body *body = request_body(r);
    if (outcome->migration == NULL) {
        answer_baselined(r, body);
        return;
    }
    if (outcome->created)
        request_header(r, MHD_HTTP_HEADER_LOCATION, "/v1/migrations/%" PRId64, body->version);
    request_header(r, "X-Index", "%" PRId64, outcome->migration->index);
    document_migration(&w, NULL, r->server->coordinator, outcome->migration, r->caller->role);
    request_answer(r, outcome->created ? 201 : 200, NULL, &text);
}

static void on_planned(void *context, const struct outcome *outcome)
{
    struct request *r = context;
    struct buf text = BUF_INIT(0);

    if (!request_succeeded(r, outcome))
        return;
    http_write_plan(&text, outcome->plan);
    request_answer(r, 200, NULL, &text);
}

/* Hands what the request says to `take`, which answers through `done`. */
static void hand_over(struct request *r,
                      void (*take)(struct coordinator *c, const struct submission *submission,
                                   coordinator_answer *answer, void *context),
                      coordinator_answer *done)
{
    const struct submission_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];
    char *joined = body->sql == NULL ? plan_join_parts(body->parts) : NULL;
    const char *sql = joined != NULL ? joined : body->sql;
    const struct submission submission = {
        .version = body->version,
        .name = body->name,
        .sql = sql,
        .sql_length = strlen(sql),
        .approval = body->approval >= 0 ? approval_choices[body->approval] : NULL,
        .soak_seconds = body->soak_seconds,
        .keep_hours = body->keep_hours,
        .labels = body->labels,
        .actor = caller_actor(r->caller, actor),
    };

    request_expect(r);
    take(r->server->coordinator, &submission, done, r);
    free(joined);
}

void migrations_submit(struct request *r)
{
    hand_over(r, coordinator_submit, on_submitted);
}

void migrations_plan(struct request *r)
{
    hand_over(r, coordinator_plan, on_planned);
}
