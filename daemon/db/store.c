/* The store: registry, state and events, over a session of its own (coordinator/environment.h). */
#include "answer.h"
#include "sql.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 30000 /* above the session's lock_timeout */
#define ERROR_BYTES 1024

/* One call that is under way; the member of `done` that belongs to it counts. */
struct store_call {
    union {
        commit_done *commit;
        void (*ok)(void *context, bool ok);
        void (*json)(void *context, const json_t *value);
    } done;
    void (*row)(void *context, const char *table, const json_t *row); /* of load */
    void *context;
    session_answered *answered;
    struct database *db;
    bool settles;                /* of a commit that changes the window: the markers follow it */
    struct commit_answer answer; /* of a commit, until it is given */
    struct buf error;
};

/* Without a session the answer is that of one that was lost, in the next turn of the loop. */
static void store_on_no_session(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct store_call *call = context;
    struct session_outcome outcome = {.lost = true};

    call->answered(call, &outcome);
}

static struct store_call *store_send(struct database *db,
                                     const struct session_statement *statement,
                                     const struct store_call *call,
                                     void (*row)(void *context, const PGresult *row))
{
    struct store_call *copy = memory_new(sizeof *copy);

    *copy = *call;
    if (!leadership_is_leading(db)) {
        const struct timeval now = {0, 0};
        event_base_once(db->base, -1, EV_TIMEOUT, store_on_no_session, copy, &now);
        return copy;
    }
    session_run(db->store, &(struct session_batch){
                               .statements = statement, .count = 1, .deadline_ms = ANSWER_MS,
                               .row = row, .done = call->answered, .context = copy});
    return copy;
}

void store_prepare(struct database *db, session_answered *done)
{
    static const struct session_statement statements[] = {
        {.sql = sql_commit, .prepare = "commit"},
        {.sql = sql_settle, .prepare = "settle"},
        {.sql = sql_verify, .prepare = "verify"},
    };

    session_run(db->store, &(struct session_batch){.statements = statements, .count = 3,
                                                   .deadline_ms = ANSWER_MS, .done = done,
                                                   .context = db});
}

static void store_log_error(const char *message, const struct session_outcome *outcome)
{
    if (outcome->error != NULL) {
        struct buf text = BUF_INIT(ERROR_BYTES);

        answer_describe_error(outcome->error, &text);
        log_error(message, LOG_TEXT("error", buf_text(&text)));
        buf_free(&text);
    }
}

/* ---- commit; behind it, where the window changes, the markers are settled (functions/markers.sql) ---- */

static void store_give_commit(struct store_call *call)
{
    call->done.commit(call->context, &call->answer.result);
    commit_answer_release(&call->answer);
    buf_free(&call->error);
    free(call);
}

static void store_on_commit(void *context, struct session_outcome *outcome)
{
    struct store_call *call = context;
    struct commit_result *result = &call->answer.result;

    if (outcome->lost) {
        result->status = COMMIT_UNKNOWN;
    } else if (outcome->error != NULL) {
        bool fenced = strcmp(answer_sqlstate(outcome->error), "SG001") == 0;

        answer_describe_error(outcome->error, &call->error);
        result->status = fenced ? COMMIT_FENCED : COMMIT_FAILED;
        result->error = buf_text(&call->error);
    } else if (!commit_answer_read(&call->answer, PQgetvalue(outcome->results[0], 0, 0))) {
        result->status = COMMIT_UNKNOWN;
    }
    if (!call->settles)
        store_give_commit(call);
}

static void store_on_settled(void *context, struct session_outcome *outcome)
{
    struct store_call *call = context;

    if (outcome->error != NULL)
        leadership_fall(call->db, "the markers of session pins cannot be set");
    store_give_commit(call);
}

static void store_commit(void *store, json_t *changes, int64_t expect_generation, commit_done *done,
                         void *context)
{
    struct database *db = store;
    char *text = json_dumps(changes, JSON_COMPACT), generation[24];
    const struct store_call call = {
        .done.commit = done,
        .context = context,
        .answered = store_on_commit,
        .db = db,
        .settles = leadership_is_leading(db) && json_object_get(changes, "window") != NULL,
        .error = BUF_INIT(ERROR_BYTES),
    };

    snprintf(generation, sizeof generation, "%" PRId64, expect_generation);
    const struct session_statement statement = {
        .prepared = "commit",
        .parameters = {db->epoch, db->nonce, generation, text},
        .parameter_count = 4,
    };
    struct store_call *sent = store_send(db, &statement, &call, NULL);
    if (call.settles) {
        const struct session_statement settle = {.prepared = "settle", .drops_rows = true};
        session_run(db->store,
                    &(struct session_batch){.statements = &settle, .count = 1,
                                            .deadline_ms = ANSWER_MS, .done = store_on_settled,
                                            .context = sent});
    }
    free(text);
    json_decref(changes);
}

/* ---- load ---- */

static void store_on_row(void *context, const PGresult *result)
{
    const struct store_call *call = context;

    for (int i = 0; i < PQntuples(result); i++) {
        json_t *row = json_loads(PQgetvalue(result, i, 1), 0, NULL);

        call->row(call->context, PQgetvalue(result, i, 0), row);
        json_decref(row);
    }
}

static void store_on_loaded(void *context, struct session_outcome *outcome)
{
    struct store_call *call = context;

    store_log_error("cannot read schemagate's own tables", outcome);
    call->done.ok(call->context, !outcome->lost && outcome->error == NULL);
    free(call);
}

static void store_load(void *store,
                       void (*row)(void *context, const char *table, const json_t *row),
                       void (*done)(void *context, bool ok), void *context)
{
    const struct session_statement statement = {.sql = sql_load};
    const struct store_call call = {
        .done.ok = done, .row = row, .context = context, .answered = store_on_loaded};

    store_send(store, &statement, &call, store_on_row);
}

/* ---- facts and events: one JSON value each ---- */

static void store_on_json(void *context, struct session_outcome *outcome)
{
    struct store_call *call = context;
    json_t *value = NULL;

    store_log_error("cannot read schemagate's own tables", outcome);
    if (!outcome->lost && outcome->error == NULL)
        value = json_loads(PQgetvalue(outcome->results[0], 0, 0), 0, NULL);
    call->done.json(call->context, value);
    json_decref(value);
    free(call);
}

static void store_verify(void *store, void (*done)(void *context, const json_t *facts),
                         void *context)
{
    const struct session_statement statement = {.prepared = "verify"};
    const struct store_call call = {
        .done.json = done, .context = context, .answered = store_on_json};

    store_send(store, &statement, &call, NULL);
}

static void store_events(void *store, int64_t after, const char *kind, int64_t version, int limit,
                         void (*done)(void *context, const json_t *rows), void *context)
{
    char after_text[24], version_text[24], limit_text[16];
    const struct store_call call = {
        .done.json = done, .context = context, .answered = store_on_json};

    snprintf(after_text, sizeof after_text, "%" PRId64, after);
    snprintf(version_text, sizeof version_text, "%" PRId64, version);
    snprintf(limit_text, sizeof limit_text, "%d", limit);
    const struct session_statement statement = {
        .sql = sql_events,
        .parameters = {after_text, kind, version_text, limit_text},
        .parameter_count = 4,
    };
    store_send(store, &statement, &call, NULL);
}

/* ---- what [notify NAME] has been told ---- */

void database_begin_deliveries(struct database *db, const char *targets,
                               void (*done)(void *context, const json_t *events), void *context)
{
    const struct session_statement statement = {
        .sql = sql_begin_deliveries,
        .parameters = {db->epoch, db->nonce, targets},
        .parameter_count = 3,
    };
    const struct store_call call = {
        .done.json = done, .context = context, .answered = store_on_json};

    store_send(db, &statement, &call, NULL);
}

static void store_on_noted(void *context, struct session_outcome *outcome)
{
    struct store_call *call = context;

    store_log_error("cannot store what was delivered", outcome);
    call->done.ok(call->context, !outcome->lost && outcome->error == NULL);
    free(call);
}

void database_note_delivery(struct database *db, const char *target, int64_t event,
                            void (*done)(void *context, bool ok), void *context)
{
    char event_text[24];
    const struct store_call call = {
        .done.ok = done, .context = context, .answered = store_on_noted};

    snprintf(event_text, sizeof event_text, "%" PRId64, event);
    const struct session_statement statement = {
        .sql = sql_note_delivery,
        .parameters = {db->epoch, db->nonce, target, event_text},
        .parameter_count = 4,
    };
    store_send(db, &statement, &call, NULL);
}

const struct store_ops database_store_ops = {
    .commit = store_commit,
    .load = store_load,
    .verify = store_verify,
    .events = store_events,
};
