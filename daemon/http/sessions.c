/* Database sessions as the witness sees them: listing strays, ending one that a hold names. */
#include "handlers.h"

#include "documents.h"

#include <inttypes.h>

void document_session(struct writer *w, const struct witnessed_session *session, size_t count)
{
    writer_number(w, "pid", session->pid);
    writer_text_or_null(w, "backend_start", session->backend_start);
    writer_text(w, "role", session->role);
    writer_text(w, "application_name", session->application_name);
    writer_text_or_null(w, "address", session->address);
    writer_text_or_null(w, "state", session->state);
    writer_text(w, "standby", session->standby);
    writer_number(w, "count", (int64_t)count);
}

static void write_stray(struct writer *w, const struct gate_session *group)
{
    const struct witnessed_session *session = group->subject;

    writer_open_object(w, NULL);
    document_session(w, session, group->count);
    writer_time(w, "since", session->started_wall);
    writer_close_object(w);
}

void document_strays(struct writer *w, const struct coordinator *c)
{
    const struct sight *sight = coordinator_sight(c);
    size_t shown = 0;

    writer_open_list(w, "strays");
    for (size_t i = 0; sight != NULL && i < sight->group_count && shown < DOCUMENT_HOLDS_MAX; i++) {
        const struct gate_session *group = &sight->groups[i];
        if (group->application && !group->known && !group->pinned) {
            write_stray(w, group);
            shown++;
        }
    }
    writer_close_list(w);
}

/* What the witness can see, and which grant helps where it cannot. */
void document_witness(struct writer *w, const struct coordinator *c)
{
    const struct sight *sight = coordinator_sight(c);

    if (sight == NULL) {
        writer_null(w, "witness");
        return;
    }
    writer_open_object(w, "witness");
    writer_time(w, "looked_at", sight->at_wall);
    writer_bool(w, "sees_all", sight->sees_all);
    writer_number(w, "sessions", (int64_t)sight->session_count);
    writer_text(w, "advice",
                sight->sees_all ? NULL
                                : "addresses, times and states of other roles' sessions are hidden, so "
                                  "nothing is evidence: GRANT pg_read_all_stats to the daemon's database "
                                  "role, on the primary and for each standby's login");
    writer_open_list(w, "standbys");
    for (size_t i = 0; i < sight->standby_count; i++) {
        writer_open_object(w, NULL);
        writer_text(w, "name", sight->standbys[i].name);
        writer_bool(w, "reachable", sight->standbys[i].reachable);
        writer_text_or_null(w, "error", sight->standby_errors[i]);
        writer_close_object(w);
    }
    writer_close_list(w);
    writer_close_object(w);
}

/* ---- ending one ---- */

struct terminate_body {
    const char *backend_start, *reason;
};

static const struct field terminate_fields[] = {
    {"backend_start", FIELD_TEXT, offsetof(struct terminate_body, backend_start), .high = 64,
     .about = "as the hold gives it; absent: whoever has the pid now"},
    {"reason", FIELD_TEXT, offsetof(struct terminate_body, reason), .required = true, .low = 1,
     .high = 1000, .about = "for the audit trail"},
};
const struct shape terminate_shape = SHAPE(terminate_fields, struct terminate_body, NULL);

static void write_terminated(struct writer *w, const struct request *r)
{
    writer_number(w, "pid", r->at.pid);
    writer_bool(w, "terminated", true);
}

static void on_terminated(void *context, const struct outcome *outcome)
{
    request_answer_outcome(context, outcome, write_terminated);
}

void sessions_terminate(struct request *r)
{
    const struct terminate_body *body = request_body(r);
    char actor[CALLER_ACTOR_SIZE];

    request_expect(r);
    coordinator_terminate(r->server->coordinator, (int)r->at.pid, body->backend_start, body->reason,
                          caller_actor(r->caller, actor), on_terminated, r);
}
