/* PostgreSQL: one advisory lock, the fence, transactions that take their time and end either way. */
#include "link.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* ---- the fence ---- */

static bool passes_fence(const struct sim *s, const struct link *link)
{
    return link->epoch == s->server.epoch && link->nonce == s->server.nonce;
}

static bool holds_lock(const struct sim *s, const struct link *link)
{
    return s->server.lock == link;
}

/* ---- commits ---- */

static bool row_is_behind(const struct sim *s, const struct blueprint *b, const json_t *row)
{
    char version[24];
    const json_t *knows = json_object_get(row, "knows");
    const char *state = rows_text(row, "state"), *key;
    const json_t *record;

    if (strcmp(state, "live") != 0 && strcmp(state, "lost") != 0)
        return false;
    json_object_foreach(s->rows.tables[ROWS_COMPATIBLE], key, record)
    {
        if (strcmp(rows_text(record, "app"), rows_text(row, "app")) == 0 &&
            strcmp(rows_text(record, "release"), rows_text(row, "release")) == 0 &&
            rows_number(record, "max") >= b->version)
            return false;
    }
    snprintf(version, sizeof version, "%lld", (long long)b->version);
    return rows_number(row, "max") < b->version ||
           (json_object_size(knows) > 0 && strcmp(rows_text(knows, version), b->checksum) != 0);
}

/* Notes until when somebody was below each version. */
static void follow_soaks(struct sim *s)
{
    for (size_t i = 0; i < s->blueprint_count; i++) {
        struct blueprint *b = &s->blueprints[i];
        const char *key;
        const json_t *row;
        if (b->soak_seconds == 0 || b->executed[PLAN_CONTRACT])
            continue;
        json_object_foreach(s->rows.tables[ROWS_REPLICAS], key, row)
        {
            if (row_is_behind(s, b, row)) {
                b->behind_until = s->now;
                break;
            }
        }
        if (!truth_serves(s, b->version))
            b->behind_until = s->now;
    }
}

static void trace_changes(const struct sim *s, const json_t *changes)
{
    const json_t *event;
    size_t i;
    json_array_foreach(json_object_get(changes, "events"), i, event)
    {
        sim_trace(s, "  %s %lld %s/%s %s", rows_text(event, "kind"),
                  (long long)rows_number(event, "version"), rows_text(event, "app"),
                  rows_text(event, "instance"),
                  rows_text(json_object_get(event, "data"), "incarnation"));
    }
}

static void count_gone(struct sim *s, const json_t *changes)
{
    const json_t *event;
    size_t i;
    json_array_foreach(json_object_get(changes, "events"), i, event)
    {
        s->counts.self_fenced += strcmp(rows_text(event, "reason"), "self-fenced") == 0;
        s->counts.unseen += strcmp(rows_text(event, "reason"), "no-sessions") == 0;
        s->counts.assumed += strcmp(rows_text(event, "reason"), "assumed") == 0;
    }
}

static bool write(struct sim *s, struct call *call, int64_t expected)
{
    bool stale = expected && expected != rows_number(s->rows.window, "generation");

    if (!stale) {
        follow_soaks(s);
        record_check(s, call->changes);
    }
    trace_changes(s, call->changes);
    count_gone(s, call->changes);
    free(call->result.event_ids);
    int64_t contracting = rows_window(&s->rows).contracting;
    rows_commit(&s->rows, call->changes, expected, &call->result);
    if (rows_window(&s->rows).contracting != contracting)
        s->server.fenced_at = s->now;
    standbys_write(s);
    s->look = true;
    return call->result.written;
}

static void take_commit(struct sim *s, struct call *call)
{
    if (!passes_fence(s, call->link)) {
        call->commit_status = COMMIT_FENCED;
        s->counts.fenced++;
    } else if (!s->calm && chance_one_in(s, s->profile.refused_commit)) {
        call->commit_status = COMMIT_FAILED;
    } else if (write(s, call, call->expected)) {
        call->commit_status = COMMIT_DONE;
    } else {
        call->commit_status = COMMIT_STALE;
        s->counts.stale++;
    }
    link_answer(s, call);
}

/* ---- reading ---- */

static void add_row(void *context, const char *table, const json_t *row)
{
    json_array_append_new(context, json_pack("{s:s, s:o}", "table", table, "row", json_copy((json_t *)row)));
}

static void take_load(struct sim *s, struct call *call)
{
    call->facts = json_array();
    rows_load(&s->rows, add_row, call->facts);
    link_answer(s, call);
}

static void take_verify(struct sim *s, struct call *call)
{
    call->facts = rows_verify(&s->rows);
    link_answer(s, call);
}

/* Somebody is in the way now and then, and for a while. */
static void take_watch(struct sim *s, struct call *call)
{
    json_t *blockers = json_array();

    if (!s->calm && chance_percent(s, s->profile.try_again))
        json_array_append_new(blockers, json_pack("{s:i, s:s, s:s, s:f}", "pid", 4711, "kind", "session",
                                                  "state", "active", "transaction_seconds",
                                                  chance_percent(s, 50) ? 0.2 : 20.0));
    call->facts = json_pack("{s:b, s:b, s:o, s:n}", "sees_all", !chance_one_in(s, 10), "yields", 1,
                            "blockers", blockers, "progress");
    link_answer(s, call);
}

/* Old statements are called now and then. In the end the extension is dropped: nothing waits for what nobody
 * can see. */
static void take_statements(struct sim *s, struct call *call)
{
    json_t *rows = json_array(), *texts = json_object();

    for (size_t i = 0; i < s->blueprint_count; i++) {
        char id[24], text[40];
        s->server.called[i] += chance_percent(s, s->profile.late_calls);
        if (s->server.called[i] == 0)
            continue;
        snprintf(id, sizeof id, "%zu", i);
        snprintf(text, sizeof text, "SELECT * FROM t%lld", (long long)s->blueprints[i].version);
        json_array_append_new(rows, json_pack("[s, s, I]", id, "app", (json_int_t)s->server.called[i]));
        json_object_set_new(texts, id, json_string(text));
    }
    call->facts = json_pack("{s:o, s:o, s:s, s:i}", "statements", rows, "texts", texts, "reset_at",
                            s->server.down_until ? "later" : "", "lost", -1);
    if (s->calm)
        json_object_set_new(call->facts, "trouble", json_string("it is not installed"));
    link_answer(s, call);
}

/* ---- the lock ---- */

static void take_poll(struct sim *s, struct call *call)
{
    if (!s->server.lock)
        s->server.lock = call->link;
    call->yes = holds_lock(s, call->link);
    link_answer(s, call);
}

static void take_over(struct sim *s, struct call *call)
{
    struct link *link = call->link;
    if (!holds_lock(s, link))
        sim_fail(s, "a session without the lock takes over");
    link->epoch = ++s->server.epoch;
    link->nonce = s->server.nonce = chance_next(s);
    sim_trace(s, "the database: daemon %zu begins epoch %lld", link->d->index, (long long)link->epoch);
    link_answer(s, call);
}

static void take_ping(struct sim *s, struct call *call)
{
    call->yes = holds_lock(s, call->link);
    link_answer(s, call);
}

static void take_prove(struct sim *s, struct call *call)
{
    call->yes = passes_fence(s, call->link);
    link_answer(s, call);
}

/* ---- migration SQL ---- */

static void leave(struct sim *s, struct call *call)
{
    s->server.runner = NULL;
    call->link->running = NULL;
}

static void answer_run(struct sim *s, struct call *call, enum execution_status status)
{
    leave(s, call);
    call->run_status = status;
    link_answer(s, call);
}

/* Its progress is written with its rows, and nothing else. */
static void execute_batch(struct sim *s, struct call *call)
{
    json_t *step = json_array_get(json_object_get(call->changes, "steps"), 0);
    int64_t from = rows_number(call->progress, "walked");
    record_check_start(s, &call->statements[0]);
    int64_t upto = truth_fill(s, &call->statements[0], from, call->batch_rows);

    json_decref(call->progress);
    call->progress = json_pack("{s:I, s:I, s:i, s:i, s:b}", "walked", (json_int_t)upto, "rows",
                               (json_int_t)upto, "estimate", BACKFILL_ROWS, "pass", 1, "done",
                               call->batch_rows > 0 && upto == BACKFILL_ROWS);
    json_object_set(step, "progress", call->progress);
    rows_write_steps(&s->rows, json_object_get(call->changes, "steps"));
    call->load.lag_seconds = !s->calm && chance_one_in(s, 10) ? 60 : 0;
}

static void execute(struct sim *s, const struct call *call)
{
    for (size_t i = 0; i < call->statement_count; i++) {
        record_check_start(s, &call->statements[i]);
        truth_execute(s, &call->statements[i]);
    }
}

static void commit_run(struct sim *s, struct call *call, bool with_sql)
{
    if (call->batched) {
        execute_batch(s, call);
        return;
    }
    if (with_sql)
        execute(s, call);
    write(s, call, 0);
}

static enum execution_status draw_outcome(struct sim *s, const struct call *call)
{
    if (call->cancelled)
        return EXECUTION_CANCELLED;
    if (s->calm || call->statement_count == 0)
        return EXECUTION_DONE;
    if (chance_percent(s, s->profile.try_again))
        return EXECUTION_TRY_AGAIN;
    return chance_percent(s, s->profile.sql_fails) ? EXECUTION_FAILED : EXECUTION_DONE;
}

/* The rest of what began outside of a transaction: the changes, in one of their own. */
static void write_after(struct sim *s, void *context)
{
    struct call *call = context;
    if (call->link->running != call) { /* its session has ended meanwhile */
        call->server_done = true;
        call_release(call);
        return;
    }
    if (!s->over && call->link->client_open && call->link->d->database_cut_until > s->now) {
        queue_add(s, call->link->d->database_cut_until, write_after, call);
        return;
    }
    if (!s->over && call->link->client_open && daemon_defers(s, call->link->d, write_after, call))
        return;
    if (s->over || !call->link->client_open) {
        leave(s, call);
        call->server_done = true;
        call_release(call);
        return;
    }
    if (!passes_fence(s, call->link) || !holds_lock(s, call->link)) {
        answer_run(s, call, EXECUTION_FENCED);
    } else if (!s->calm && chance_one_in(s, 6)) {
        answer_run(s, call, chance_percent(s, 50) ? EXECUTION_TRY_AGAIN : EXECUTION_CANCELLED);
    } else {
        commit_run(s, call, false);
        answer_run(s, call, EXECUTION_DONE);
    }
}

static void end_run(struct sim *s, void *context)
{
    struct call *call = context;
    struct link *link = call->link;

    if (s->over || link->running != call) { /* cut short: server_close or server_cancel has ended it */
        if (link->running == call)
            leave(s, call);
        call->server_done = true;
        call_release(call);
        return;
    }
    enum execution_status outcome = draw_outcome(s, call);
    if (!call->transactional) {
        if (outcome == EXECUTION_DONE) {
            execute(s, call);
            call->statement_ran = true;
            queue_add(s, s->now + chance_delay(s, s->profile.database_delay), write_after, call);
            return;
        }
    } else if (outcome == EXECUTION_DONE) {
        commit_run(s, call, true);
    }
    answer_run(s, call, outcome);
    if (!link->open[SESSION_HOLDER] && holds_lock(s, link))
        s->server.lock = NULL;
}

static void take_run(struct sim *s, struct call *call)
{
    if (!passes_fence(s, call->link) || !holds_lock(s, call->link)) {
        call->run_status = EXECUTION_FENCED;
        s->counts.fenced++;
        link_answer(s, call);
        return;
    }
    if (s->server.runner)
        sim_fail(s, "two runners");
    s->server.runner = call->link->running = call;
    int64_t long_one = !s->calm && chance_one_in(s, 10) ? chance_between(s, 100, 20000) : 0;
    queue_add(s, s->now + chance_between(s, 1, 30) + long_one, end_run, call);
}

void server_cancel(struct sim *s, struct link *link)
{
    (void)s;
    if (link->running)
        link->running->cancelled = true;
}

void server_take(struct sim *s, struct call *call)
{
    static void (*const takers[])(struct sim *, struct call *) = {
        [CALL_COMMIT] = take_commit, [CALL_LOAD] = take_load,       [CALL_VERIFY] = take_verify,
        [CALL_RUN] = take_run,       [CALL_POLL] = take_poll,       [CALL_TAKE_OVER] = take_over,
        [CALL_PING] = take_ping,     [CALL_PROVE] = take_prove,     [CALL_LOOK] = standbys_look,
        [CALL_WATCH] = take_watch,   [CALL_STATEMENTS] = take_statements,
    };
    takers[call->kind](s, call);
}

/* ---- the end of sessions ---- */

/* Whoever ends in the middle of a transaction leaves it open whether it was committed. */
static void cut_short(struct sim *s, struct call *call)
{
    if (call->transactional && !call->cancelled && passes_fence(s, call->link) &&
        chance_percent(s, 40)) {
        sim_trace(s, "the database: what ran is committed, and nobody is told");
        commit_run(s, call, true);
    } else if (!call->transactional && !call->statement_ran && chance_percent(s, 40)) {
        execute(s, call);
    }
    leave(s, call);
}

/* True: its transaction goes on by itself. */
static bool end_holder(struct sim *s, struct link *link, bool lingers)
{
    link->open[SESSION_HOLDER] = false;
    if (link->running && lingers && link->running->transactional)
        return true; /* end_run lets the lock go */
    if (link->running)
        cut_short(s, link->running);
    if (holds_lock(s, link))
        s->server.lock = NULL;
    return false;
}

void server_close(struct sim *s, struct link *link, bool lingers)
{
    link->open[SESSION_STORE] = false;
    if (link->open[SESSION_HOLDER] && !end_holder(s, link, lingers))
        link_notice(s, link);
}

void server_time_out(struct sim *s, struct link *link)
{
    if (!link->open[SESSION_HOLDER] || link->running)
        return;
    sim_trace(s, "the database ends the session of daemon %zu, which is idle", link->d->index);
    end_holder(s, link, false);
    link_notice(s, link);
}

void server_stop(struct sim *s, int64_t longest_ms)
{
    s->server.down_until = s->now + chance_between(s, 50, longest_ms);
    for (struct link *link = s->server.links; link; link = link->next) {
        server_close(s, link, false);
        if (link->running) /* it lingered */
            cut_short(s, link->running);
    }
    s->server.lock = NULL;
}

void server_restart(struct sim *s)
{
    sim_trace(s, "the database restarts");
    server_stop(s, 8000);
    sessions_end_on(s, SERVER_PRIMARY);
}

void server_free(struct sim *s)
{
    failover_free(s->server.backup);
    for (struct link *link = s->server.links, *next; link; link = next) {
        next = link->next;
        free(link);
    }
}
