/* Migrations: looking at them, waiting for them, steering them. */
#include "handlers.h"

#include "documents.h"
#include "etag.h"
#include "list.h"
#include "wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---- */

enum { SHOW_MIGRATION, SHOW_GATE }; /* the route's argument */

struct poll_query {
    int64_t wait, index;
    int until;
};

enum until { UNTIL_NOTHING = -1, UNTIL_EXPANDED, UNTIL_COMPLETE, UNTIL_HIDDEN, UNTIL_UNDONE };
static const char *const until_choices[] = {"expanded", "complete", "hidden", "undone", NULL};

static const struct field poll_query_fields[] = {
    {"wait", FIELD_INTEGER, offsetof(struct poll_query, wait), .high = WAIT_SECONDS_MAX,
     .about = "seconds to hold the answer back until there is something new"},
    {"index", FIELD_INTEGER, offsetof(struct poll_query, index), .high = INT64_MAX, .fallback = -1,
     .about = "of the last answer; another one is answered at once"},
    {"until", FIELD_CHOICE, offsetof(struct poll_query, until), .choices = until_choices,
     .about = "wait for this phase, for one beyond it, or for a failure"},
};
const struct shape poll_query_shape = SHAPE(poll_query_fields, struct poll_query, NULL);

static bool has_reached(const struct coordinator *c, const struct migration *m, enum until until)
{
    if (phase_is_final(m->phase) || coordinator_migration_status(c, m) == STATUS_FAILED)
        return true; /* or will never reach it */
    return (until == UNTIL_EXPANDED && phase_is_expanded(m->phase)) ||
           (until == UNTIL_HIDDEN && phase_is_contracted(m->phase));
}

static bool has_news(const struct coordinator *c, const struct migration *m, const struct poll_query *query)
{
    return query->until != UNTIL_NOTHING ? has_reached(c, m, (enum until)query->until)
                                         : query->index != m->index;
}

static void answer_unknown(struct request *r)
{
    request_problem_f(r, PROBLEM_UNKNOWN_MIGRATION, "no migration %" PRId64 " was submitted", r->at.version);
}

static void answer_migration(struct request *r, unsigned status, const struct migration *m)
{
    const struct coordinator *c = r->server->coordinator;
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    char tag[ETAG_SIZE];

    request_header(r, "X-Index", "%" PRId64, m->index);
    if (r->route->method == METHOD_GET && etag_offer(r, etag_migration(c, m, tag)))
        return;
    if (r->route->method == METHOD_GET && r->route->argument == SHOW_GATE) {
        document_gate(&w, NULL, c, m);
    } else {
        document_migration(&w, NULL, c, m, r->caller->role);
    }
    request_answer(r, status, NULL, &body);
}

static void look_at_migration(struct request *r, bool last)
{
    const struct coordinator *c = r->server->coordinator;
    const struct migration *m = coordinator_find_migration(c, r->at.version);

    if (!request_check_leadership(r))
        return;
    if (m == NULL)
        answer_unknown(r);
    else if (last || has_news(c, m, request_query(r)))
        answer_migration(r, 200, m);
}

void migrations_show(struct request *r)
{
    const struct poll_query *query = request_query(r);

    look_at_migration(r, query->wait == 0);
    if (!r->answered && !wait_begin(r, query->wait, look_at_migration))
        request_problem(r, PROBLEM_TOO_MANY_WAITERS, NULL, "ask again later, or without ?wait=");
}

void migrations_list(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    const struct migration *m = coordinator_first_migration(c);
    struct list list;

    if (!list_begin(&list, r, request_query(r)))
        return;
    int64_t after = strtoll(list.from, NULL, 10);
    while (m != NULL && m->version <= after)
        m = coordinator_next_migration(m);
    for (; m != NULL && list_add(&list, "%" PRId64, m->version); m = coordinator_next_migration(m)) {
        document_migration(&list.w, NULL, c, m, r->caller->role);
    }
    list_finish(&list, m != NULL);
}

/* ---- steering ---- */

struct reason_body {
    const char *reason;
};

static const struct field reason_fields[] = {
    {"reason", FIELD_TEXT, offsetof(struct reason_body, reason), .high = 1000,
     .about = "for the audit trail"},
};
const struct shape reason_shape = SHAPE(reason_fields, struct reason_body, NULL);

static const char *reason_of(const struct request *r)
{
    const struct reason_body *body = request_body(r);

    return body->reason != NULL ? body->reason : "";
}

static void on_acted(void *context, const struct outcome *outcome)
{
    struct request *r = context;

    if (!request_succeeded(r, outcome))
        return;
    const struct migration *m = coordinator_find_migration(r->server->coordinator, r->at.version);
    if (m == NULL)
        answer_unknown(r);
    else
        answer_migration(r, 200, m);
}

void migrations_act(struct request *r)
{
    struct coordinator *c = r->server->coordinator;
    const struct migration *m = coordinator_find_migration(c, r->at.version);
    char actor[CALLER_ACTOR_SIZE], tag[ETAG_SIZE];

    if (!etag_check(r, m != NULL ? etag_migration(c, m, tag) : NULL))
        return;
    request_expect(r);
    coordinator_act(c, r->at.version, (enum machine_event)r->route->argument, reason_of(r),
                    caller_actor(r->caller, actor), on_acted, r);
}

void migrations_unblock(struct request *r)
{
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_unblock(r->server->coordinator, r->at.version, reason_of(r),
                        caller_actor(r->caller, actor), on_acted, r);
}

struct waive_body {
    const char *code, *reason;
    const json_t *subjects;
    int64_t for_seconds;
};

#define SUBJECTS_MAX 100
#define WAIVE_SECONDS_MAX 604800

#define AT(member) offsetof(struct waive_body, member)
static const struct field waive_fields[] = {
    {"code", FIELD_NAME, AT(code), .required = true, .high = 40, .about = "of the hold"},
    {"subjects", FIELD_LINES, AT(subjects), .high = SUBJECTS_MAX,
     .about = "apps, standbys, or role/application_name of sessions; none: all"},
    {"for_seconds", FIELD_INTEGER, AT(for_seconds), .required = true, .low = 1, .high = WAIVE_SECONDS_MAX,
     .about = "how long it counts"},
    {"reason", FIELD_TEXT, AT(reason), .required = true, .low = 1, .high = 1000,
     .about = "why that is safe"},
};
#undef AT

static void check_waive(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct waive_body *body = values;
    enum gate_code code;

    if (!gate_code_parse(body->code, &code))
        mistakes_add(mistakes, prefix, "code", "is not the code of a hold");
}

const struct shape waive_shape = SHAPE(waive_fields, struct waive_body, check_waive);

void migrations_waive(struct request *r)
{
    const struct waive_body *body = request_body(r);
    const char *subjects[SUBJECTS_MAX];
    char actor[CALLER_ACTOR_SIZE];
    struct waiver_request waiver = {
        .version = r->at.version,
        .subjects = subjects,
        .subject_count = json_array_size(body->subjects),
        .for_seconds = body->for_seconds,
        .reason = body->reason,
        .actor = caller_actor(r->caller, actor),
    };

    gate_code_parse(body->code, &waiver.code);
    for (size_t i = 0; i < waiver.subject_count; i++)
        subjects[i] = json_string_value(json_array_get(body->subjects, i));
    request_expect(r);
    coordinator_waive(r->server->coordinator, &waiver, on_acted, r);
}

static void write_paused(struct writer *w, const struct request *r)
{
    const struct pause_note note = coordinator_paused(r->server->coordinator);

    document_pause(w, &note);
}

static void on_paused(void *context, const struct outcome *outcome)
{
    request_answer_outcome(context, outcome, write_paused);
}

void migrations_pause_all(struct request *r)
{
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_pause_all(r->server->coordinator, r->route->argument != 0, reason_of(r),
                          caller_actor(r->caller, actor), on_paused, r);
}

/* ---- adopting a database ---- */

struct baseline_body {
    int64_t version;
};

static const struct field baseline_fields[] = {
    {"version", FIELD_INTEGER, offsetof(struct baseline_body, version), .required = true, .low = 1,
     .high = SCHEMA_VERSION_MAX, .about = "the version that the database has already"},
};
const struct shape baseline_shape = SHAPE(baseline_fields, struct baseline_body, NULL);

static void write_baseline(struct writer *w, const struct request *r)
{
    const struct baseline_body *body = request_body(r);

    writer_number(w, "version", body->version);
    document_window(w, "window", &coordinator_window(r->server->coordinator)->window);
}

static void on_baseline(void *context, const struct outcome *outcome)
{
    request_answer_outcome(context, outcome, write_baseline);
}

void migrations_baseline(struct request *r)
{
    const struct baseline_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_baseline(r->server->coordinator, body->version, caller_actor(r->caller, actor),
                         on_baseline, r);
}
