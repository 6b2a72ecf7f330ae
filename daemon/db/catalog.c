/* Reading the catalog for the planner, over the session of the witness (sql/catalog.sql). */
#include "answer.h"
#include "sql.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* The witness has gates to look for: what it is asked here must be short. A table that is locked exclusively
 * is tried again behind whatever else the witness has to do meanwhile. */
#define ANSWER_MS 5000
#define TRIES 4
#define ERROR_BYTES 1024

static const char too_large[] = "{\"too_large\": true}"; /* of sql/catalog.sql */

struct catalog_call {
    struct database *db;
    database_catalog_done *done;
    void *context;
    char *names;
    unsigned tries;
};

static void call_finish(struct catalog_call *call, const char *document, const char *trouble)
{
    call->done(call->context, document, trouble);
    free(call->names);
    free(call);
}

static void call_send(struct catalog_call *call);

static void call_on_error(struct catalog_call *call, const PGresult *error)
{
    struct buf text = BUF_INIT(ERROR_BYTES);

    if (strcmp(answer_sqlstate(error), "55P03") == 0 && call->tries < TRIES
        && leadership_is_leading(call->db)) {
        call_send(call);
        return;
    }
    answer_describe_error(error, &text);
    call_finish(call, NULL, buf_text(&text));
    buf_free(&text);
}

static void call_on_answer(void *context, struct session_outcome *outcome)
{
    struct catalog_call *call = context;

    if (outcome->error != NULL)
        call_on_error(call, outcome->error);
    else if (outcome->lost)
        call_finish(call, NULL, "there is no connection to the database");
    else if (strcmp(PQgetvalue(outcome->results[1], 0, 0), too_large) == 0)
        call_finish(call, NULL, "the facts about these tables are more than 16 MB");
    else
        call_finish(call, PQgetvalue(outcome->results[1], 0, 0), NULL);
}

/* Both statements are one transaction: the settings end with it. */
static void call_send(struct catalog_call *call)
{
    struct database *db = call->db;
    const struct session_statement statements[] = {
        {.sql = sql_catalog_settings},
        {.prepared = "catalog",
         .parameters = {call->names, db->config->migration.run_as},
         .parameter_count = 2},
    };

    call->tries++;
    session_run(db->witness, &(struct session_batch){
                                 .statements = statements, .count = 2, .deadline_ms = ANSWER_MS,
                                 .done = call_on_answer, .context = call});
}

/* Without a session the answer comes in the next turn of the loop. */
static void call_on_no_session(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    call_finish(context, NULL, "there is no connection to the database");
}

void database_read_catalog(struct database *db, const char *names, database_catalog_done *done,
                           void *context)
{
    struct catalog_call *call = memory_new(sizeof *call);

    *call = (struct catalog_call){
        .db = db, .done = done, .context = context, .names = memory_copy(names)};
    if (leadership_is_leading(db)) {
        call_send(call);
    } else {
        const struct timeval now = {0, 0};
        event_base_once(db->base, -1, EV_TIMEOUT, call_on_no_session, call, &now);
    }
}
