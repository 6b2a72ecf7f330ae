/* Watching tables without queueing for them: who would keep a try waiting, who keeps one waiting now
 * (coordinator/environment.h; docs/design.md §7). One round trip, one implicit transaction. */
#include "answer.h"
#include "sql.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ERROR_BYTES 1024

struct watching {
    void (*done)(void *context, const json_t *seen);
    void *context;
};

static void on_watched(void *context, struct session_outcome *outcome)
{
    struct watching w = *(struct watching *)context;
    json_t *seen = NULL;

    free(context);
    if (outcome->error != NULL) {
        struct buf text = BUF_INIT(ERROR_BYTES);
        answer_describe_error(outcome->error, &text);
        log_warn("cannot look at who locks a table", LOG_TEXT("error", buf_text(&text)));
        buf_free(&text);
    } else if (!outcome->lost) {
        seen = json_loads(PQgetvalue(outcome->results[2], 0, 0), 0, NULL);
    }
    w.done(w.context, seen);
    json_decref(seen);
}

static char *relations_of(const struct watch_request *request)
{
    json_t *relations = json_array();
    char *text;

    for (size_t i = 0; i < request->lock_count; i++) {
        const struct plan_relation_lock *lock = &request->locks[i];
        json_array_append_new(relations, json_pack("{s:s, s:i, s:b}", "relation", lock->relation,
                                                   "level", (int)lock->mode, "parents",
                                                   lock->parents));
    }
    text = json_dumps(relations, JSON_COMPACT);
    json_decref(relations);
    return text;
}

void watch_look(void *witness, const struct watch_request *request,
                void (*done)(void *context, const json_t *seen), void *context)
{
    struct database *db = witness;
    struct watching *w = memory_new(sizeof *w);
    char *relations = relations_of(request);
    char holder[16], own[64], older_than[24];

    *w = (struct watching){done, context};
    snprintf(holder, sizeof holder, "%d", db->running != NULL ? session_pid(db->holder) : 0);
    snprintf(own, sizeof own, "{%d,%d,%d}", session_pid(db->holder), session_pid(db->store),
             session_pid(db->witness));
    snprintf(older_than, sizeof older_than, "%" PRId64, request->older_than_ms);
    const struct session_statement statements[] = {
        {.prepared = "read_as",
         .parameters = {request->run_as[0] != '\0' ? request->run_as : "none", db->search_path},
         .parameter_count = 2},
        {.prepared = "resolve", .parameters = {relations}, .parameter_count = 1},
        {.prepared = "watch",
         .parameters = {holder, own, older_than, db->may_hurry ? "t" : "f"},
         .parameter_count = 4},
    };
    witness_send(db, db->witness, statements, sizeof statements / sizeof statements[0], on_watched, w);
    free(relations);
}
