/* The witness: what PostgreSQL itself shows of sessions and pins, on the primary and on standbys; over
 * sessions that only read (coordinator/environment.h, docs/design.md §5, §11). */
#include "answer.h"
#include "sql.h"
#include "standby.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 15000
#define ERROR_BYTES 1024

/* What the role may do, and what its sessions begin with: asked once a term. */
static void on_witness_ready(void *context, struct session_outcome *outcome)
{
    struct database *db = context;

    if (!outcome->lost && outcome->error == NULL) {
        memory_replace(&db->search_path, PQgetvalue(outcome->results[0], 0, 0));
        db->may_hurry = answer_is_true(outcome->results[1], 0);
    }
    db->witness_ready(db, outcome);
}

void witness_prepare(struct database *db, session_answered *done)
{
    bool may_be_granted = PQserverVersion(session_connection(db->witness)) >= 150000;
    const struct session_statement statements[] = {
        {.sql = sql_search_path},
        {.sql = may_be_granted ? sql_may_hurry : sql_is_superuser},
        {.sql = sql_witness, .prepare = "witness"},
        {.sql = sql_catalog, .prepare = "catalog"},
        {.sql = sql_barred_roles, .prepare = "barred_roles"},
        {.sql = sql_read_as, .prepare = "read_as"},
        {.sql = sql_resolve, .prepare = "resolve"},
        {.sql = sql_watch, .prepare = "watch"},
        {.sql = sql_reach, .prepare = "reach"},
    };

    db->witness_ready = done;
    session_run(db->witness, &(struct session_batch){
                                 .statements = statements,
                                 .count = sizeof statements / sizeof statements[0],
                                 .deadline_ms = ANSWER_MS, .done = on_witness_ready, .context = db});
}

/* Without a session the answer is that of one that was lost, in the next turn of the loop. */
struct unsent {
    session_answered *done;
    void *context;
};

static void on_unsent(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct unsent unsent = *(struct unsent *)context;
    struct session_outcome outcome = {.lost = true};

    free(context);
    unsent.done(unsent.context, &outcome);
}

void witness_send(struct database *db, struct session *s, const struct session_statement *statements,
                  size_t count, session_answered *done, void *context)
{
    if (s == NULL || !leadership_is_leading(db)) {
        const struct timeval now = {0, 0};
        struct unsent *unsent = memory_new(sizeof *unsent);

        *unsent = (struct unsent){done, context};
        event_base_once(db->base, -1, EV_TIMEOUT, on_unsent, unsent, &now);
        return;
    }
    session_run(s, &(struct session_batch){.statements = statements, .count = count,
                                           .deadline_ms = ANSWER_MS, .done = done,
                                           .context = context});
}

/* ---- look ---- */

struct look {
    struct database *db;
    void (*done)(void *context, const json_t *sight);
    void *context;
    json_t *sight;    /* NULL: the connection went away */
    json_t *standbys; /* inside sight */
    size_t awaited;   /* standbys that have not answered yet */
};

static void look_finish(struct look *look)
{
    bool valid = leadership_is_leading(look->db);

    look->done(look->context, valid ? look->sight : NULL);
    json_decref(look->sight);
    free(look);
}

static void look_on_standby(void *context, const struct standby_answer *answer)
{
    struct look *look = context;
    json_t *seen = answer->text != NULL ? json_loads(answer->text, 0, NULL) : NULL;
    json_t *standby = json_pack("{s:s, s:b, s:s, s:f, s:b, s:[], s:[]}", "name", answer->name,
                                "reachable", seen != NULL, "error",
                                answer->error != NULL ? answer->error : "", "lag_seconds",
                                answer->lag_seconds, "sees_all", 0, "sessions", "pins");
    static const char *const members[] = {"sees_all", "sessions", "pins"};

    for (size_t i = 0; seen != NULL && i < sizeof members / sizeof members[0]; i++)
        json_object_set(standby, members[i], json_object_get(seen, members[i]));
    json_decref(seen);
    json_array_set_new(look->standbys, answer->place, standby);
    if (--look->awaited == 0)
        look_finish(look);
}

static void look_log_error(const PGresult *error)
{
    struct buf text = BUF_INIT(ERROR_BYTES);

    answer_describe_error(error, &text);
    log_error("cannot look at the database's sessions", LOG_TEXT("error", buf_text(&text)));
    buf_free(&text);
}

static void look_on_primary(void *context, struct session_outcome *outcome)
{
    struct look *look = context;

    if (outcome->error != NULL)
        look_log_error(outcome->error);
    else if (!outcome->lost)
        look->sight = json_loads(PQgetvalue(outcome->results[0], 0, 0), 0, NULL);
    if (look->sight != NULL) {
        json_object_set_new(look->sight, "barred_roles",
                            json_loads(PQgetvalue(outcome->results[1], 0, 0), 0, NULL));
        look->standbys = json_array();
        json_object_set_new(look->sight, "standbys", look->standbys);
        const char *lsn = json_string_value(json_object_get(look->sight, "lsn"));
        look->awaited = standbys_look(look->db, lsn, look_on_standby, look);
    }
    for (size_t i = 0; i < look->awaited; i++)
        json_array_append_new(look->standbys, json_null());
    if (look->awaited == 0)
        look_finish(look);
}

int session_pid(const struct session *s)
{
    return s != NULL ? PQbackendPID(session_connection(s)) : 0;
}

static void witness_look(void *witness, void (*done)(void *context, const json_t *sight),
                         void *context)
{
    struct database *db = witness;
    struct look *look = memory_new(sizeof *look);
    char own[64];

    *look = (struct look){.db = db, .done = done, .context = context};
    snprintf(own, sizeof own, "{%d,%d,%d}", session_pid(db->holder), session_pid(db->store),
             session_pid(db->witness));
    const struct session_statement statements[] = {
        {.prepared = "witness", .parameters = {own}, .parameter_count = 1},
        {.prepared = "barred_roles"},
    };
    witness_send(db, db->witness, statements, 2, look_on_primary, look);
}

/* ---- reach, statements: one question, one document ---- */

struct question {
    void (*done)(void *context, const json_t *answer);
    void *context;
};

static void on_document(void *context, struct session_outcome *outcome)
{
    struct question question = *(struct question *)context;
    json_t *found = NULL;

    free(context);
    if (outcome->error != NULL)
        look_log_error(outcome->error);
    else if (!outcome->lost)
        found = json_loads(PQgetvalue(outcome->results[0], 0, 0), 0, NULL);
    question.done(question.context, found);
    json_decref(found);
}

/* A statement of two JSON parameters, which are taken over. */
static void ask(struct database *db, struct session_statement statement, json_t *first, json_t *second,
                void (*done)(void *context, const json_t *answer), void *context)
{
    struct question *question = memory_new(sizeof *question);
    char *parameters[] = {json_dumps(first, JSON_COMPACT), json_dumps(second, JSON_COMPACT)};

    *question = (struct question){done, context};
    statement.parameters[0] = parameters[0];
    statement.parameters[1] = parameters[1];
    statement.parameter_count = 2;
    witness_send(db, db->witness, &statement, 1, on_document, question);
    free(parameters[0]);
    free(parameters[1]);
    json_decref(first);
    json_decref(second);
}

static void witness_reach(void *witness, json_t *drops, json_t *roles,
                          void (*done)(void *context, const json_t *reach), void *context)
{
    ask(witness, (struct session_statement){.prepared = "reach"}, drops, roles, done, context);
}

static void witness_statements(void *witness, json_t *roles, json_t *wanted,
                               void (*done)(void *context, const json_t *read), void *context)
{
    ask(witness, (struct session_statement){.sql = sql_statements}, roles, wanted, done, context);
}

/* ---- terminate ---- */

struct termination {
    void (*done)(void *context, bool ended, const char *error);
    void *context;
    int pid;
};

static void on_terminated(void *context, struct session_outcome *outcome)
{
    struct termination t = *(struct termination *)context;
    struct buf error = BUF_INIT(ERROR_BYTES);
    bool ended = false;

    free(context);
    if (outcome->lost) {
        buf_puts(&error, "there is no connection to that server");
    } else if (outcome->error != NULL) {
        answer_describe_error(outcome->error, &error);
        if (strcmp(answer_sqlstate(outcome->error), "42501") == 0)
            buf_printf(&error, "; GRANT pg_signal_backend TO the daemon's role; or, as a superuser: "
                       "SELECT pg_terminate_backend(%d)", t.pid);
    } else {
        ended = answer_is_true(outcome->results[0], 0);
    }
    t.done(t.context, ended, error.length > 0 ? buf_text(&error) : NULL);
    buf_free(&error);
}

static void witness_terminate(void *witness, const struct witness_target *target,
                              void (*done)(void *context, bool ended, const char *error),
                              void *context)
{
    struct database *db = witness;
    struct session *s =
        target->standby == NULL ? db->witness : standby_session(db, target->standby);
    struct termination *t = memory_new(sizeof *t);
    char number[16];

    *t = (struct termination){done, context, target->pid};
    snprintf(number, sizeof number, "%d", target->pid);
    const struct session_statement statement = {
        .sql = sql_terminate,
        .parameters = {number, target->backend_start,
                       target->transaction_start != NULL ? target->transaction_start : "",
                       target->idle_only ? "t" : "f"},
        .parameter_count = 4};
    witness_send(db, s, &statement, 1, on_terminated, t);
}

const struct witness_ops database_witness_ops = {
    .look = witness_look,
    .reach = witness_reach,
    .statements = witness_statements,
    .terminate = witness_terminate,
    .watch = watch_look,
};
