/* Replicas: they register and leave, others look at them or declare them gone. */
#include "handlers.h"

#include "documents.h"
#include "list.h"
#include "transport.h"
#include "wait.h"

#include <schemagate/base/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWS_MAX 4000

/* ---- registration ---- */

struct registration_body {
    const char *incarnation, *release, *application_name;
    int64_t min, max, lease_seconds;
    const json_t *knows;
    int on_lost;
    bool predecessor_ended;
    const char *predecessor;
};

struct registration_query {
    int64_t wait;
};

static const char *const on_lost_choices[] = {"keep", "exit", NULL};
enum { ON_LOST_EXIT = 1 };

static void check_registration(const void *values, const char *prefix, struct mistakes *mistakes)
{
    const struct registration_body *body = values;
    const char *version;
    json_t *checksum;

    if (body->min > body->max)
        mistakes_add(mistakes, prefix, "max", "must not be below min");
    json_object_foreach((json_t *)(uintptr_t)body->knows, version, checksum) {
        char *end;
        long long number = strtoll(version, &end, 10);
        if (*version < '1' || *version > '9' || *end != '\0' || number > SCHEMA_VERSION_MAX)
            mistakes_add(mistakes, "/knows", version, "must be named by a schema version");
        else if (strncmp(json_string_value(checksum), "sha256:", 7) != 0 ||
                   json_string_length(checksum) != 7 + 64)
            mistakes_add(mistakes, "/knows", version, "must be a checksum: sha256:<64 digits>");
    }
}

#define AT(member) offsetof(struct registration_body, member)
static const struct field registration_fields[] = {
    {"incarnation", FIELD_NAME, AT(incarnation), .required = true, .high = 128,
     .about = "one start of the process; fresh each time"},
    {"min", FIELD_INTEGER, AT(min), .required = true, .high = SCHEMA_VERSION_MAX,
     .about = "the lowest schema version that this code works with"},
    {"max", FIELD_INTEGER, AT(max), .required = true, .high = SCHEMA_VERSION_MAX,
     .about = "the highest one"},
    {"lease_seconds", FIELD_INTEGER, AT(lease_seconds), .low = 5, .high = 3600,
     .about = "without a renewal for so long it counts as lost"},
    {"release", FIELD_TEXT, AT(release), .high = 200, .about = "what was deployed"},
    {"application_name", FIELD_TEXT, AT(application_name), .high = 63,
     .about = "of its database sessions"},
    {"on_lost", FIELD_CHOICE, AT(on_lost), .choices = on_lost_choices,
     .about = "exit: it ends itself before its lease does"},
    {"predecessor_ended", FIELD_BOOLEAN, AT(predecessor_ended),
     .about = "the whole process tree of the incarnation before has ended"},
    {"predecessor", FIELD_NAME, AT(predecessor), .high = 128,
     .about = "that incarnation: a request that comes late is then no word about a younger one"},
    {"knows", FIELD_TEXTS, AT(knows), .high = KNOWS_MAX,
     .about = "versions that the release ships, with the checksums of their files"},
};
#undef AT
const struct shape registration_shape =
    SHAPE(registration_fields, struct registration_body, check_registration);

static const struct field registration_query_fields[] = {
    {"wait", FIELD_INTEGER, offsetof(struct registration_query, wait), .high = WAIT_SECONDS_MAX,
     .about = "seconds to hold the answer back until it is live"},
};
const struct shape registration_query_shape =
    SHAPE(registration_query_fields, struct registration_query, NULL);

static int compare_knows(const void *left, const void *right)
{
    int64_t a = ((const struct gate_knows *)left)->version;
    int64_t b = ((const struct gate_knows *)right)->version;

    return a < b ? -1 : a > b;
}

/* Ascending by version; the caller frees. */
static struct gate_knows *read_knows(const json_t *object, size_t *count)
{
    const char *version;
    json_t *checksum;
    struct gate_knows *knows = memory_new(json_object_size(object) * sizeof(*knows));

    *count = 0;
    json_object_foreach((json_t *)(uintptr_t)object, version, checksum) {
        knows[(*count)++] = (struct gate_knows){strtoll(version, NULL, 10), json_string_value(checksum)};
    }
    qsort(knows, *count, sizeof(*knows), compare_knows);
    return knows;
}

static void answer_lease(struct request *r, const struct replica *replica)
{
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    unsigned status = replica->state == REPLICA_WAITING ? 202 : r->created ? 201 : 200;

    document_lease(&w, NULL, r->server, replica);
    if (r->created)
        request_header(r, MHD_HTTP_HEADER_LOCATION, "/v1/apps/%s/replicas/%s", r->at.app, r->at.instance);
    request_answer(r, status, NULL, &body);
}

/* The incarnation that this request registered, or NULL. */
static struct replica *find_own(const struct request *r)
{
    const struct registration_body *body = request_body(r);
    struct replica *replica =
        coordinator_find_replica(r->server->coordinator, r->at.app, r->at.instance);

    while (replica != NULL && strcmp(replica->incarnation, body->incarnation) != 0)
        replica = replica->older;
    return replica;
}

static void look_for_admission(struct request *r, bool last)
{
    struct replica *replica = find_own(r);

    if (!request_check_leadership(r))
        return;
    if (replica != NULL && replica->state == REPLICA_WAITING && !replica->superseded && !last)
        return;
    if (replica != NULL)
        coordinator_hold_lease(r->server->coordinator, replica, -1);
    if (replica == NULL)
        request_problem(r, PROBLEM_UNKNOWN_REPLICA, NULL, "it was removed while it waited; register again");
    else if (replica->superseded)
        request_problem(r, PROBLEM_INCARNATION_SUPERSEDED, NULL,
                        "a newer incarnation of this instance has registered: end this one");
    else
        answer_lease(r, replica);
}

static void on_registered(void *context, const struct outcome *outcome)
{
    struct request *r = context;
    const struct registration_query *query = request_query(r);

    if (!request_succeeded(r, outcome))
        return;
    r->created = outcome->created;
    if (outcome->replica->state == REPLICA_WAITING && query->wait > 0) {
        coordinator_hold_lease(r->server->coordinator, outcome->replica, 1);
        if (wait_begin(r, query->wait, look_for_admission))
            return;
        coordinator_hold_lease(r->server->coordinator, outcome->replica, -1);
    }
    answer_lease(r, outcome->replica);
}

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

void replicas_register(struct request *r)
{
    const struct registration_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE], address[TRANSPORT_ADDRESS_SIZE];
    size_t count;
    struct gate_knows *knows = read_knows(body->knows, &count);
    const struct registration registration = {
        .app = r->at.app,
        .instance = r->at.instance,
        .incarnation = body->incarnation,
        .range = {body->min, body->max},
        .lease_seconds = body->lease_seconds,
        .release = text_or_empty(body->release),
        .application_name = text_or_empty(body->application_name),
        .address = transport_client_address(r->connection, address),
        .on_lost_exit = body->on_lost == ON_LOST_EXIT,
        .predecessor_ended = body->predecessor_ended,
        .predecessor = body->predecessor,
        .knows = knows,
        .knows_count = count,
        .actor = caller_actor(r->caller, actor),
    };

    request_expect(r);
    coordinator_register(r->server->coordinator, &registration, on_registered, r);
    free(knows);
}

/* ---- the end of a replica ---- */

struct leave_query {
    const char *incarnation;
};

static const struct field leave_query_fields[] = {
    {"incarnation", FIELD_NAME, offsetof(struct leave_query, incarnation), .required = true, .high = 128,
     .about = "the one that says goodbye"},
};
const struct shape leave_query_shape = SHAPE(leave_query_fields, struct leave_query, NULL);

static void on_left(void *context, const struct outcome *outcome)
{
    struct request *r = context;

    if (!request_returned(r))
        return;
    /* One that nobody knows any more is gone: what the caller asks for holds. */
    if (outcome->problem != PROBLEM_NONE && outcome->problem != PROBLEM_UNKNOWN_REPLICA)
        request_problem_outcome(r, outcome);
    else
        request_answer_empty(r, 204);
}

void replicas_leave(struct request *r)
{
    const struct leave_query *query = request_query(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_remove(r->server->coordinator, REPLICA_DEREGISTERED, r->at.app, r->at.instance,
                       query->incarnation, "", caller_actor(r->caller, actor), on_left, r);
}

struct removal_body {
    const char *incarnation, *reason;
    bool terminate_sessions;
};

#define AT(member) offsetof(struct removal_body, member)
static const struct field evict_fields[] = {
    {"incarnation", FIELD_NAME, AT(incarnation), .high = 128, .about = "absent: all of the instance"},
    {"reason", FIELD_TEXT, AT(reason), .required = true, .low = 1, .high = 1000,
     .about = "how it is known that it does not run"},
    {"terminate_sessions", FIELD_BOOLEAN, AT(terminate_sessions),
     .about = "end its database sessions first"},
};
const struct shape evict_shape = SHAPE(evict_fields, struct removal_body, NULL);

static const struct field attest_fields[] = {
    {"incarnation", FIELD_NAME, AT(incarnation), .high = 128, .about = "absent: the newest"},
    {"reason", FIELD_TEXT, AT(reason), .required = true, .low = 1, .high = 1000,
     .about = "how it is known that it has ended"},
};
const struct shape attest_shape = SHAPE(attest_fields, struct removal_body, NULL);
#undef AT

static void write_removed(struct writer *w, const struct request *r)
{
    const struct removal_body *body = request_body(r);

    writer_text(w, "app", r->at.app);
    writer_text(w, "instance", r->at.instance);
    writer_text(w, "incarnation", body->incarnation);
    writer_text(w, "state", replica_state_name(REPLICA_GONE));
    writer_text(w, "gone_reason", replica_event_name((enum replica_event)r->route->argument));
}

static void on_removed(void *context, const struct outcome *outcome)
{
    request_answer_outcome(context, outcome, write_removed);
}

void replicas_remove(struct request *r)
{
    const struct removal_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    if (body->terminate_sessions) {
        coordinator_evict_sessions(r->server->coordinator, r->at.app, r->at.instance, body->incarnation,
                                   body->reason, caller_actor(r->caller, actor), on_removed, r);
        return;
    }
    coordinator_remove(r->server->coordinator, (enum replica_event)r->route->argument, r->at.app,
                       r->at.instance, body->incarnation, body->reason, caller_actor(r->caller, actor),
                       on_removed, r);
}

/* ---- looking at them ---- */

void replicas_show(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    const struct replica *replica = coordinator_find_replica(c, r->at.app, r->at.instance);
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    if (replica == NULL) {
        request_problem_f(r, PROBLEM_UNKNOWN_REPLICA, "no incarnation of %s/%s is registered", r->at.app,
                          r->at.instance);
        return;
    }
    writer_open_object(&w, NULL);
    writer_open_list(&w, "items");
    for (; replica != NULL; replica = replica->older) {
        document_replica(&w, c, replica);
    }
    writer_close_list(&w);
    writer_null(&w, "next");
    writer_close_object(&w);
    request_answer(r, 200, NULL, &body);
}
