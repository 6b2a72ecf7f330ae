/* What the witness is shown of the servers' sessions: those of the primary at once, those of a standby once
 * it has replayed what was written by then, if it can be reached at all. */
#include "link.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_PATIENCE_MS 2000
#define REPLAY_POLL_MS 20

/* ---- replay ---- */

static bool is_offered(const char *phase)
{
    static const char *const phases[] = {"expanded",  "contracting", "hidden",
                                         "purging", "restoring",   "complete"};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
        if (strcmp(phases[i], phase) == 0)
            return true;
    return false;
}

static struct markers markers_of(const struct rows *rows)
{
    struct markers markers;
    const char *key;
    const json_t *row;

    memset(&markers, 0, sizeof markers);
    markers.window = rows_window(rows);
    json_object_foreach(rows->tables[ROWS_MIGRATIONS], key, row)
    {
        if (is_offered(rows_text(row, "phase")) && markers.count < MIGRATIONS)
            markers.offered[markers.count++] = rows_number(row, "version");
    }
    return markers;
}

struct replay {
    size_t standby;
    uint64_t position, timeline;
    struct markers markers;
};

/* Each has its own delay; what comes later says more. */
static void replay(struct sim *s, void *context)
{
    struct replay *r = context;
    struct standby *standby = &s->server.standbys[r->standby];
    if (r->timeline == s->server.timeline && standby->replayed < r->position) {
        standby->replayed = r->position;
        standby->markers = r->markers;
    }
    free(r);
}

static void send_log(struct sim *s, size_t standby)
{
    struct replay *r = memory_new(sizeof *r);
    *r = (struct replay){standby, s->server.written, s->server.timeline, s->server.markers};
    queue_add(s, s->now + chance_between(s, 0, !s->calm && chance_one_in(s, 20) ? 4000 : 50), replay, r);
}

void standbys_write(struct sim *s)
{
    struct markers markers = markers_of(&s->rows);

    if (memcmp(&markers, &s->server.markers, sizeof markers) == 0)
        return;
    s->server.markers = markers;
    s->server.written++;
    for (size_t i = 0; i < (size_t)s->rules.standbys; i++)
        send_log(s, i);
}

void standbys_fail_over(struct sim *s, bool with_loss)
{
    s->server.markers = markers_of(&s->rows);
    for (size_t i = 0; i < (size_t)s->rules.standbys; i++) {
        struct standby *standby = &s->server.standbys[i];
        standby->markers = s->server.markers;
        standby->replayed = s->server.written;
        if (with_loss) /* it was ahead of the new primary, and is made anew */
            sessions_end_on(s, i + 1);
    }
}

/* As functions/pin.sql has it. */
bool standby_serves(const struct sim *s, size_t server, struct version_range range)
{
    const struct markers *m = server == SERVER_PRIMARY ? &s->server.markers
                                                       : &s->server.standbys[server - 1].markers;
    int64_t lowest = m->window.contracting > m->window.floor ? m->window.contracting : m->window.floor;
    int64_t highest = m->window.undoing && m->window.undoing <= m->window.ceiling ? m->window.undoing - 1
                                                                                  : m->window.ceiling;
    if (lowest <= highest && m->window.floor == lowest && version_in(range, m->window.floor))
        return true;
    if (lowest <= highest && m->window.ceiling == highest && version_in(range, m->window.ceiling))
        return true;
    for (size_t i = 0; i < m->count; i++)
        if (m->offered[i] >= lowest && m->offered[i] <= highest && version_in(range, m->offered[i]))
            return true;
    return false;
}

/* ---- what is shown ---- */

static void show_session(const struct sim *s, const struct backend *session, json_t *sessions, json_t *pins)
{
    char since[40];

    snprintf(since, sizeof since, "2026-11-20T%02d:%02d:%02d.%03d000+00:00",
             (int)(session->since / 3600000 % 24), (int)(session->since / 60000 % 60),
             (int)(session->since / 1000 % 60), (int)(session->since % 1000));
    json_array_append_new(
        sessions, json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "pid", session->pid, "backend_start",
                            s->server.sees_all ? since : "", "role", role_names[session->role],
                            "application_name", session->name, "address",
                            s->server.sees_all ? session->address : "", "state",
                            s->server.sees_all ? "idle" : ""));
    if (session->locks)
        json_array_append_new(pins, json_pack("{s:i, s:I, s:I}", "pid", session->pid, "min",
                                              (json_int_t)session->range.min, "max",
                                              (json_int_t)session->range.max));
}

static void show_server(const struct sim *s, size_t server, json_t *into)
{
    json_t *sessions = json_array(), *pins = json_array();

    for (size_t i = 0; i < BACKENDS; i++)
        if (s->backends[i].pid && s->backends[i].server == server)
            show_session(s, &s->backends[i], sessions, pins);
    json_object_update_new(into, json_pack("{s:b, s:o, s:o, s:f}", "sees_all", s->server.sees_all,
                                           "sessions", sessions, "pins", pins, "lag_seconds", 0.0));
}

static json_t *show_standby(const struct sim *s, size_t server, uint64_t position)
{
    const struct standby *standby = &s->server.standbys[server - 1];
    bool reachable = standby->unreachable_since == 0 && standby->replayed >= position;
    json_t *row = json_pack("{s:s, s:b, s:s}", "name", server == 1 ? "one" : "two", "reachable", reachable,
                            "error", reachable ? "" : "it does not answer");
    if (reachable)
        show_server(s, server, row);
    return row;
}

static bool somebody_lags(const struct sim *s, uint64_t position)
{
    for (size_t i = 0; i < (size_t)s->rules.standbys; i++)
        if (s->server.standbys[i].unreachable_since == 0 && s->server.standbys[i].replayed < position)
            return true;
    return false;
}

static void look_at_standbys(struct sim *s, void *context)
{
    struct call *call = context;
    json_t *standbys;

    if (!s->over && somebody_lags(s, call->position) && s->now < call->patience_until) {
        queue_add(s, s->now + REPLAY_POLL_MS, look_at_standbys, call);
        return;
    }
    standbys = json_array();
    for (size_t i = 1; i <= (size_t)s->rules.standbys; i++)
        json_array_append_new(standbys, show_standby(s, i, call->position));
    json_object_set_new(call->facts, "standbys", standbys);
    link_answer(s, call);
}

static bool is_there(const struct sim *s, const struct process *p)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (backend_is_of(&s->backends[i], p) && s->backends[i].server != SERVER_OLD)
            return true;
    return false;
}

static void note_absences(struct sim *s)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        struct process *p = &s->processes[i];
        bool there = is_there(s, p), before = p->unseen_since == 0 || p->seen_again;
        if (there && !before)
            p->seen_again = s->now;
        if (!there && before)
            p->unseen_since = s->now, p->seen_again = 0;
    }
}

void standbys_look(struct sim *s, struct call *call)
{
    note_absences(s);
    call->facts = json_pack("{s:[]}", "barred_roles");
    if (s->server.barred)
        json_array_append_new(json_object_get(call->facts, "barred_roles"),
                              json_string(role_names[s->server.barred - 1]));
    show_server(s, SERVER_PRIMARY, call->facts);
    call->position = s->server.written;
    call->patience_until = s->now + REPLAY_PATIENCE_MS;
    look_at_standbys(s, call);
}

/* ---- what goes wrong with them ---- */

static void trouble(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    size_t i = (size_t)chance_between(s, 0, STANDBYS - 1);
    struct standby *standby = &s->server.standbys[i];

    if (s->rules.shy_witness && chance_percent(s, 50)) {
        s->server.sees_all = !s->server.sees_all;
        s->server.sees_all_changed = s->now;
    } else if (standby->unreachable_since) {
        standby->unreachable_since = 0;
        standby->reachable_since = s->now;
    } else if (s->rules.standbys > 0) {
        standby->unreachable_since = s->now;
    }
    queue_add(s, s->now + chance_between(s, 1, 20000), trouble, NULL);
}

void standbys_begin(struct sim *s)
{
    s->server.sees_all = true;
    s->server.markers = markers_of(&s->rows);
    s->rules.shy_witness = chance_percent(s, 25);
    if (chance_percent(s, 50))
        queue_add(s, s->now + chance_between(s, 1, 20000), trouble, NULL);
}

void standbys_calm(struct sim *s)
{
    s->server.sees_all = true;
    for (size_t i = 0; i < STANDBYS; i++)
        s->server.standbys[i].unreachable_since = 0;
}
