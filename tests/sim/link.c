/* The way to the database and back: two sessions that keep their order, may be cut, and may end without the
 * other end's knowledge. */
#include "link.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls ---- */

void call_release(struct call *call)
{
    if (!call->client_done || !call->server_done)
        return;
    json_decref(call->changes);
    json_decref(call->facts);
    json_decref(call->progress);
    free(call->result.event_ids);
    free(call);
}

static enum session session_of(const struct call *call)
{
    return call->kind == CALL_COMMIT || call->kind == CALL_LOAD || call->kind == CALL_VERIFY ||
                   call->kind == CALL_LOOK || call->kind == CALL_WATCH ||
                   call->kind == CALL_STATEMENTS || call->kind == CALL_PROVE
               ? SESSION_STORE
               : SESSION_HOLDER;
}

static void deliver_run(struct call *call, bool lost)
{
    static const char *const sqlstates[] = {"", "55P03", "57014", "42P07", "", ""};
    const double seconds[] = {0.05};
    struct execution_result result = {
        .progress = call->progress,
        .load = call->load,
        .seconds = seconds,
        .seconds_count = call->batched ? 1 : 0,
        .status = lost ? EXECUTION_UNKNOWN : call->run_status,
        .error = {.message = "it did not work", .step = 1, .line = 1, .column = 1},
        .commit = {.status = COMMIT_DONE,
                   .generation = call->result.generation,
                   .event_ids = call->result.event_ids,
                   .event_count = call->result.event_count},
    };
    snprintf(result.error.sqlstate, sizeof result.error.sqlstate, "%s", sqlstates[result.status]);
    if (result.status == EXECUTION_DONE || result.status == EXECUTION_FAILED)
        result.error.step = (unsigned)(call->statement_count ? call->statements[0].number : 0);
    call->done.run(call->context, &result);
}

static void deliver_commit(struct call *call, bool lost)
{
    call->done.commit(call->context,
                      &(struct commit_result){
                          .status = lost ? COMMIT_UNKNOWN : call->commit_status,
                          .generation = call->result.generation,
                          .window = call->result.window,
                          .event_ids = call->result.event_ids,
                          .event_count = call->result.event_count,
                          .error = "57014 refused",
                      });
}

static bool asks_who_leads(const struct call *call)
{
    return call->kind == CALL_PING || call->kind == CALL_PROVE;
}

/* What the lock session, or the store's in its place, has learnt. */
static void deliver_lead(struct call *call, bool lost)
{
    struct daemon *d = call->link->d;

    if (lost || d->link != call->link)
        return;
    if (call->kind == CALL_POLL && call->yes)
        d->life = LIFE_TAKING_OVER;
    else if (call->kind == CALL_POLL)
        coordinator_stand_by(d->c, "http://the-other");
    else if (asks_who_leads(call) && call->yes)
        coordinator_prove_lead(d->c, call->asked_boot);
    else if (asks_who_leads(call))
        daemon_fall(d, "this daemon does not lead any more");
    if (call->kind == CALL_TAKE_OVER) {
        struct term term = {.epoch = call->link->epoch,
                            .system_identifier = "1",
                            .server_version = "15",
                            .host = "sim",
                            .since_wall = d->sim->now + d->wall_offset};
        snprintf(term.timeline, sizeof term.timeline, "%08llX",
                 (unsigned long long)d->sim->server.timeline);
        d->life = LIFE_LEADING;
        d->failures = 0;
        d->sim->counts.terms++;
        coordinator_begin_term(d->c, &term);
    }
}

static void read_all(struct call *call)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(call->facts, i, entry)
    {
        call->row(call->context, rows_text(entry, "table"), json_object_get(entry, "row"));
    }
}

void link_deliver(struct call *call, bool lost)
{
    DL_DELETE(call->link->pending, call);
    call->client_done = true;
    switch (call->kind) {
    case CALL_COMMIT:
        deliver_commit(call, lost);
        break;
    case CALL_LOAD:
        if (!lost)
            read_all(call);
        call->done.load(call->context, !lost);
        break;
    case CALL_VERIFY:
    case CALL_LOOK:
    case CALL_WATCH:
    case CALL_STATEMENTS:
        call->done.verify(call->context, lost ? NULL : call->facts);
        break;
    case CALL_RUN:
        deliver_run(call, lost);
        break;
    case CALL_POLL:
    case CALL_TAKE_OVER:
    case CALL_PING:
    case CALL_PROVE:
        deliver_lead(call, lost);
        break;
    }
    call_release(call);
}

/* ---- there ---- */

static bool is_cut(const struct sim *s, const struct link *link)
{
    return link->d->database_cut_until > s->now;
}

static void arrive(struct sim *s, struct link *link, enum session session, happen *again)
{
    if (!s->over && is_cut(s, link)) {
        queue_add(s, link->d->database_cut_until + chance_between(s, 0, 5), again, link);
        return;
    }
    struct call *call = link->sent[session];
    link->sent[session] = call->sent_next;
    if (s->over || !link->open[session]) {
        call->server_done = true;
        call_release(call);
        if (!s->over)
            link_notice(s, link);
        return;
    }
    server_take(s, call);
}

static void arrive_store(struct sim *s, void *context)
{
    arrive(s, context, SESSION_STORE, arrive_store);
}

static void arrive_holder(struct sim *s, void *context)
{
    arrive(s, context, SESSION_HOLDER, arrive_holder);
}

static void append(struct call **list, struct call *call, bool answers)
{
    struct call **end = list;
    while (*end)
        end = answers ? &(*end)->answer_next : &(*end)->sent_next;
    *end = call;
}

static void send(struct sim *s, struct call *call)
{
    struct link *link = call->link;
    enum session session = session_of(call);
    int64_t at = s->now + chance_delay(s, s->profile.database_delay);

    DL_APPEND(link->pending, call);
    append(&link->sent[session], call, false);
    if (at < link->last_arrival[session])
        at = link->last_arrival[session];
    link->last_arrival[session] = at;
    queue_add(s, at, session == SESSION_STORE ? arrive_store : arrive_holder, link);
}

/* ---- and back ---- */

static void come_back(struct sim *s, struct link *link, enum session session, happen *again)
{
    if (!s->over && is_cut(s, link)) {
        queue_add(s, link->d->database_cut_until + chance_between(s, 0, 5), again, link);
        return;
    }
    if (!s->over && link->client_open && daemon_defers(s, link->d, again, link))
        return;
    struct call *call = link->answers[session];
    link->answers[session] = call->answer_next;
    call->server_done = true;
    if (call->client_done)
        call_release(call);
    else
        link_deliver(call, s->over || !link->client_open);
}

static void come_back_store(struct sim *s, void *context)
{
    come_back(s, context, SESSION_STORE, come_back_store);
}

static void come_back_holder(struct sim *s, void *context)
{
    come_back(s, context, SESSION_HOLDER, come_back_holder);
}

void link_answer(struct sim *s, struct call *call)
{
    struct link *link = call->link;
    enum session session = session_of(call);
    int64_t at = s->now + chance_delay(s, s->profile.database_delay);

    if (!link->open[session]) { /* its answer went nowhere */
        call->server_done = true;
        call_release(call);
        return;
    }
    append(&link->answers[session], call, true);
    if (at < link->last_answer[session])
        at = link->last_answer[session];
    link->last_answer[session] = at;
    queue_add(s, at, session == SESSION_STORE ? come_back_store : come_back_holder, link);
}

static void find_out(struct sim *s, void *context)
{
    struct link *link = context;
    struct daemon *d = link->d;
    if (s->over || !link->client_open || d->link != link)
        return;
    if (is_cut(s, link) && d->database_cut_until - s->now < 7000) {
        queue_add(s, d->database_cut_until, find_out, link);
        return;
    }
    if (!daemon_defers(s, d, find_out, link))
        daemon_fall(d, "the session was lost");
}

void link_notice(struct sim *s, struct link *link)
{
    if (link->noticed || !link->client_open)
        return;
    link->noticed = true;
    queue_add(s, s->now + chance_delay(s, s->profile.database_delay), find_out, link);
}

/* ---- opening and closing ---- */

struct link *link_open(struct sim *s, struct daemon *d)
{
    struct link *link = memory_new(sizeof *link);
    link->d = d;
    link->serial = d->serial;
    link->client_open = link->open[SESSION_STORE] = link->open[SESSION_HOLDER] = true;
    link->next = s->server.links;
    s->server.links = link;
    return link;
}

static void hang_up(struct sim *s, void *context)
{
    struct link *link = context;
    if (s->over || (!link->open[SESSION_STORE] && !link->open[SESSION_HOLDER]))
        return;
    if (is_cut(s, link)) { /* keepalives, in the end */
        int64_t end = link->d->database_cut_until, patience = s->now + chance_between(s, 5000, 12000);
        queue_add(s, end < patience ? end : patience, hang_up, link);
        if (end >= patience)
            server_close(s, link, chance_percent(s, 50));
        return;
    }
    server_close(s, link, chance_percent(s, 50));
}

void link_close(struct sim *s, struct link *link)
{
    link->client_open = false;
    while (link->pending)
        link_deliver(link->pending, true);
    if (s->over)
        return;
    int64_t at = s->now + chance_delay(s, s->profile.database_delay);
    for (enum session session = 0; session < SESSIONS; session++)
        if (at < link->last_arrival[session])
            at = link->last_arrival[session];
    queue_add(s, at, hang_up, link);
}

bool link_is_idle(const struct link *link)
{
    return !link->pending;
}

/* ---- what the coordinator asks for ---- */

static struct call *new_call(struct daemon *d, enum call_kind kind, void *context)
{
    struct call *call = memory_new(sizeof *call);
    call->kind = kind;
    call->context = context;
    call->link = d->link;
    return call;
}

/* Without a session the answer is that of one that was lost. */
static void answer_lost(struct sim *s, void *context)
{
    struct call *call = context;
    (void)s;
    call->server_done = true;
    if (!call->client_done)
        link_deliver(call, true);
    else
        call_release(call);
}

static void submit(struct daemon *d, struct call *call)
{
    if (d->life == LIFE_LEADING && d->link->client_open && !d->muted) {
        send(d->sim, call);
        return;
    }
    DL_APPEND(call->link->pending, call);
    queue_add(d->sim, d->sim->now, answer_lost, call);
}

static void commit(void *store, json_t *changes, int64_t expect_generation, commit_done *done,
                   void *context)
{
    struct call *call = new_call(store, CALL_COMMIT, context);
    call->changes = changes;
    call->expected = expect_generation;
    call->done.commit = done;
    submit(store, call);
}

static void load(void *store, void (*row)(void *context, const char *table, const json_t *row),
                 void (*done)(void *context, bool ok), void *context)
{
    struct call *call = new_call(store, CALL_LOAD, context);
    call->row = row;
    call->done.load = done;
    submit(store, call);
}

static void verify(void *store, void (*done)(void *context, const json_t *facts), void *context)
{
    struct call *call = new_call(store, CALL_VERIFY, context);
    call->done.verify = done;
    submit(store, call);
}

/* The witness's session is lost with the store's. */
static void look(void *witness, void (*done)(void *context, const json_t *sight), void *context)
{
    struct call *call = new_call(witness, CALL_LOOK, context);
    call->done.verify = done;
    submit(witness, call);
}

/* Only what a gate's record says hangs on it: an answer that proves nothing. */
static void reach(void *witness, json_t *drops, json_t *roles,
                  void (*done)(void *context, const json_t *reach), void *context)
{
    json_decref(drops);
    json_decref(roles);
    look(witness, done, context);
}

static void watch(void *witness, const struct watch_request *request,
                  void (*done)(void *context, const json_t *seen), void *context)
{
    struct call *call = new_call(witness, CALL_WATCH, context);
    (void)request;
    call->done.verify = done;
    submit(witness, call);
}

static void statements(void *witness, json_t *roles, json_t *wanted,
                       void (*done)(void *context, const json_t *read), void *context)
{
    struct call *call = new_call(witness, CALL_STATEMENTS, context);
    json_decref(roles);
    json_decref(wanted);
    call->done.verify = done;
    submit(witness, call);
}

static void terminate(void *witness, const struct witness_target *target,
                      void (*done)(void *context, bool ended, const char *error), void *context)
{
    (void)witness, (void)target;
    done(context, false, NULL); /* nobody asks for it here */
}

static void events(void *store, int64_t after, const char *kind, int64_t version, int limit,
                   void (*done)(void *context, const json_t *rows), void *context)
{
    (void)store, (void)after, (void)kind, (void)version, (void)limit;
    done(context, NULL);
}

static void run(void *executor, const struct execution *e, execution_done *done, void *context)
{
    struct daemon *d = executor;
    struct call *call = new_call(d, CALL_RUN, context);

    call->changes = e->changes;
    call->version = e->version;
    call->transactional = e->transactional;
    call->statement_count = e->statement_count;
    call->batched = e->batch.pieces != NULL;
    call->batch_rows = e->batch.rows;
    call->progress = json_incref((json_t *)e->batch.progress);
    for (size_t i = 0; i < e->statement_count; i++)
        if (i >= STATEMENTS || !truth_read_statement(e->statements[i].sql, &call->statements[i]))
            sim_fail(d->sim, "a statement that nobody has written: %s", e->statements[i].sql);
    call->done.run = done;
    size_t place = (size_t)(truth_find(d->sim, e->version) - d->sim->blueprints);
    if (d->sim->told_paused[place] || d->sim->told_paused[MIGRATIONS])
        if (!d->muted && d->life == LIFE_LEADING && coordinator_role(d->c) == ROLE_LEADER)
            sim_trace(d->sim, "daemon %zu runs %lld, which was paused", d->index,
                      (long long)e->version);
    submit(d, call);
}

static void time_out(struct sim *s, void *context)
{
    struct link *link = context;
    if (!s->over && (link->d->paused_until > s->now || link->d->database_cut_until > s->now))
        server_time_out(s, link);
}

void link_fall_silent(struct sim *s, struct link *link)
{
    queue_add(s, s->now + chance_between(s, 3000, 8000), time_out, link);
}

static void cancel_arrives(struct sim *s, void *context)
{
    if (!s->over)
        server_cancel(s, context);
}

static void cancel(void *executor)
{
    struct daemon *d = executor;
    if (d->life == LIFE_LEADING && !d->muted && d->database_cut_until <= d->sim->now)
        queue_add(d->sim, d->sim->now + chance_delay(d->sim, d->sim->profile.database_delay),
                  cancel_arrives, d->link);
}

const struct store_ops link_store_ops = {
    .commit = commit, .load = load, .verify = verify, .events = events};
const struct witness_ops link_witness_ops = {
    .look = look, .reach = reach, .statements = statements, .terminate = terminate, .watch = watch};
const struct executor_ops link_executor_ops = {.run = run, .cancel = cancel};

static bool is_busy(const struct link *link, enum session session)
{
    const struct call *call;
    DL_FOREACH(link->pending, call)
    {
        if (session_of(call) == session)
            return true;
    }
    return false;
}

/* Takes the lock, begins a term, or looks whether it is still held: the next thing of its life. */
void link_poll(struct sim *s, struct link *link)
{
    static const enum call_kind kinds[] = {[LIFE_DOWN] = CALL_POLL,
                                           [LIFE_POLLING] = CALL_POLL,
                                           [LIFE_TAKING_OVER] = CALL_TAKE_OVER,
                                           [LIFE_LEADING] = CALL_PING};
    enum call_kind kind = kinds[link->d->life];

    if (is_busy(link, SESSION_HOLDER) && kind == CALL_PING)
        kind = CALL_PROVE;
    else if (is_busy(link, SESSION_HOLDER))
        return;
    if (kind == CALL_PROVE && is_busy(link, SESSION_STORE))
        return;
    struct call *call = new_call(link->d, kind, NULL);
    call->asked_boot = s->now + link->d->boot_offset;
    send(s, call);
}
