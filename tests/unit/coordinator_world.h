/* A scripted world for the real coordinator: a database that lives in JSON, an executor, a planner, a clock.
 * Every call of the coordinator's becomes a `call` that the test carries out and answers when it likes;
 * world_settle does so for all, in order, until nothing is left to do. Whatever order a test chooses, a
 * contract or an undo that runs against a replica which may still need the old shape fails it. */
#ifndef TESTS_UNIT_COORDINATOR_WORLD_H
#define TESTS_UNIT_COORDINATOR_WORLD_H

#include "coordinator_batches.h"

#include <support/test.h>

#include <schemagate/base/digest.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum call_kind {
    CALL_COMMIT, CALL_LOAD, CALL_VERIFY, CALL_RUN, CALL_PLAN, CALL_LOOK, CALL_REACH, CALL_WATCH,
    CALL_STATEMENTS, CALL_USES, CALL_TERMINATE
};

/* One call of the coordinator's that is not answered yet. */
struct call {
    struct call *prev, *next;
    struct world *world; /* RUN */
    enum call_kind kind;
    bool carried_out, ended;
    bool held; /* it takes long: world_turn passes it over */
    json_t *changes; /* COMMIT, RUN */
    int64_t expected, version;
    char phase[16];
    size_t statements;
    enum plan_kind work_kind; /* RUN: of its first step */
    char command[160];        /* RUN: its arguments and timeout, "/bin/x|42|1000"; "": it is SQL */
    json_t *progress; /* RUN, of a batch: before it, and after it was carried out */
    int64_t batch_rows; /* -1: it is no batch */
    enum commit_status commit_status;
    enum execution_status run_status;
    int64_t generation;
    struct window window;
    int64_t event_ids[2048];
    size_t event_count;
    json_t *facts; /* VERIFY, LOOK, WATCH */
    int pid;
    struct plan *plan;
    struct plan_used *uses; /* USES; NULL: they cannot be read */
    union {
        commit_done *commit;
        void (*load)(void *context, bool ok);
        void (*verify)(void *context, const json_t *facts);
        execution_done *run;
        void (*plan)(void *context, struct plan *plan);
        void (*uses)(void *context, const struct plan_used *uses);
        void (*terminate)(void *context, bool ended, const char *error);
    } done;
    void (*row)(void *context, const char *table, const json_t *row);
    void *context;
};

struct world {
    struct config config;
    struct coordinator *c;
    json_t *sight; /* what the witness sees; null: the look fails */
    json_t *reach; /* who can reach what is dropped; null: it cannot be looked at */
    json_t *statements; /* what pg_stat_statements shows, "texts" of all; NULL: nothing; null: it fails */
    unsigned readings;
    bool unreadable;    /* the planner's worker dies over statements */
    const char *terminate_error; /* NULL: sessions can be terminated */
    json_t *watched;             /* what a watch sees; NULL: nobody is in the way; null: it fails */
    unsigned looks, watches;
    unsigned ended;              /* sessions that were terminated while they blocked */
    bool idle_only;              /* of the last termination */
    json_t *tables; /* "window": object; the others: arrays of rows */
    int64_t last_event;
    struct call *calls;
    struct instant now;
    int64_t wake_at;
    bool woken;
    uint32_t chance;
    unsigned restarts;
    char restart_reason[128];
    int64_t epoch;
    bool database_away; /* calls are answered as if the connection had gone */
    bool untouched; /* what fails outside of transactions has left nothing */
    bool cancelled;     /* the executor was asked to cancel */
    unsigned commits, runs, contracts_run, purges_run;
    struct world_batches batches;
    /* Asked about each commit and each execution before it is carried out; NULL: all is well. */
    enum commit_status (*on_commit)(struct world *w, const struct call *call);
    enum execution_status (*on_run)(struct world *w, const struct call *call);
    void (*before_contract)(struct world *w, const struct call *call); /* a further oracle */
};

/* ---- the database ---- */

static const struct table {
    const char *name, *keys[4];
} world_tables[] = {
    {"migrations", {"version"}},
    {"steps", {"version", "section", "number"}},
    {"approvals", {"version", "plan_checksum", "system_identifier", "timeline"}},
    {"waivers", {"version", "code", "subject"}},
    {"apps", {"app"}},
    {"compatible", {"app", "release"}},
    {"roles", {"role"}},
    {"replicas", {"app", "instance", "incarnation"}},
};

static inline json_t *world_table(const struct world *w, const char *name)
{
    return json_object_get(w->tables, name);
}

static inline const char *world_text(const json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));
    return text ? text : "";
}

static inline int64_t world_number(const json_t *row, const char *column)
{
    return json_integer_value(json_object_get(row, column));
}

static inline bool same_row(const struct table *table, const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < 4 && table->keys[i]; i++)
        if (!json_equal(json_object_get(a, table->keys[i]), json_object_get(b, table->keys[i])))
            return false;
    return true;
}

static inline void drop_version(json_t *rows, int64_t version)
{
    for (size_t i = json_array_size(rows); i-- > 0;)
        if (world_number(json_array_get(rows, i), "version") == version)
            json_array_remove(rows, i);
}

static inline void write_row(struct world *w, const struct table *table, json_t *change)
{
    json_t *rows = world_table(w, table->name), *row;
    size_t i;

    if (json_is_true(json_object_get(change, "replaced"))) {
        drop_version(world_table(w, "steps"), world_number(change, "version"));
        drop_version(world_table(w, "approvals"), world_number(change, "version"));
        drop_version(world_table(w, "waivers"), world_number(change, "version"));
    }
    json_array_foreach(rows, i, row)
    {
        if (same_row(table, row, change)) {
            json_object_update(row, change);
            return;
        }
    }
    json_array_append_new(rows, json_deep_copy(change));
}

static inline struct window world_window(const struct world *w)
{
    const json_t *row = world_table(w, "window");
    return (struct window){world_number(row, "floor"), world_number(row, "ceiling"),
                           world_number(row, "contracting"), world_number(row, "undoing")};
}

static inline int64_t world_generation(const struct world *w)
{
    return world_number(world_table(w, "window"), "generation");
}

static inline void write_changes(struct world *w, struct call *call)
{
    json_t *window = world_table(w, "window"), *rows, *row;
    size_t i;

    json_object_update(window, json_object_get(call->changes, "window"));
    json_object_set_new(window, "generation", json_integer(world_generation(w) + 1));
    for (size_t t = 0; t < sizeof world_tables / sizeof *world_tables; t++) {
        rows = json_object_get(call->changes, world_tables[t].name);
        json_array_foreach(rows, i, row)
        {
            write_row(w, &world_tables[t], row);
        }
    }
    rows = json_object_get(call->changes, "events");
    json_array_foreach(rows, i, row)
    {
        json_t *copy = json_deep_copy(row);
        assert_true(call->event_count < 2048);
        call->event_ids[call->event_count++] = ++w->last_event;
        json_object_set_new(copy, "id", json_integer(w->last_event));
        json_array_append_new(world_table(w, "events"), copy);
    }
    call->generation = world_generation(w);
}

#include "coordinator_oracle.h" /* it looks into the world */

/* ---- carrying out, and answering ---- */

static inline json_t *read_facts(const struct world *w)
{
    json_t *facts = json_pack("{s:[], s:O, s:O, s:O}", "replicas", "apps", world_table(w, "apps"),
                              "compatible", world_table(w, "compatible"), "window",
                              world_table(w, "window"));
    json_t *copy = json_deep_copy(facts), *row;
    size_t i;

    json_decref(facts);
    json_array_foreach(world_table(w, "replicas"), i, row)
    {
        if (strcmp(world_text(row, "state"), "gone") == 0)
            continue;
        json_t *one = json_deep_copy(row);
        json_object_set_new(one, "count", json_integer(1));
        json_array_append_new(json_object_get(copy, "replicas"), one);
    }
    return copy;
}

static inline void carry_out_commit(struct world *w, struct call *call)
{
    enum commit_status asked = w->on_commit ? w->on_commit(w, call) : COMMIT_DONE;

    call->commit_status = asked;
    if (w->database_away) {
        call->commit_status = COMMIT_UNKNOWN;
    } else if (asked == COMMIT_DONE && call->expected != 0 && call->expected != world_generation(w)) {
        call->commit_status = COMMIT_STALE;
        call->generation = world_generation(w);
        call->window = world_window(w);
    } else if (asked == COMMIT_DONE) {
        write_changes(w, call);
        w->commits++;
    }
}

static inline void carry_out_run(struct world *w, struct call *call)
{
    call->run_status = w->on_run ? w->on_run(w, call) : EXECUTION_DONE;
    if (w->database_away)
        call->run_status = EXECUTION_UNKNOWN;
    else if (call->run_status == EXECUTION_DONE && w->cancelled)
        call->run_status = EXECUTION_CANCELLED;
    w->cancelled = false;
    if (call->run_status != EXECUTION_DONE)
        return;
    if (strcmp(call->phase, "contract") == 0 || strcmp(call->phase, "purge") == 0)
        check_contract(w, call);
    if (strcmp(call->phase, "undo") == 0)
        check_undo(w, call);
    if (call->batch_rows >= 0) {
        json_t *steps = json_object_get(call->changes, "steps");
        json_t *progress = batches_carry_out(&w->batches, call->progress, call->batch_rows);
        json_decref(call->progress);
        call->progress = progress;
        assert_int_equal(json_array_size(steps), 1);
        json_object_set(json_array_get(steps, 0), "progress", progress);
        write_row(w, &world_tables[1], json_array_get(steps, 0));
        return;
    }
    write_changes(w, call);
    w->runs++;
}

static inline void end_session(struct world *w, struct call *call)
{
    json_t *sessions = json_object_get(w->sight, "sessions");
    json_t *blockers = json_object_get(w->watched, "blockers");
    for (size_t i = json_array_size(blockers); i-- > 0 && !w->terminate_error;) {
        if (world_number(json_array_get(blockers, i), "pid") != call->pid)
            continue;
        json_array_remove(blockers, i);
        w->ended++;
        call->ended = true;
    }
    for (size_t i = json_array_size(sessions); i-- > 0 && !w->terminate_error;) {
        if (world_number(json_array_get(sessions, i), "pid") != call->pid)
            continue;
        json_array_remove(sessions, i);
        call->ended = true;
    }
}

/* What the server does; the answer is still on its way. */
static inline void world_carry_out(struct world *w, struct call *call)
{
    if (call->carried_out)
        return;
    call->carried_out = true;
    if (call->kind == CALL_COMMIT)
        carry_out_commit(w, call);
    else if (call->kind == CALL_RUN)
        carry_out_run(w, call);
    else if (call->kind == CALL_VERIFY && !w->database_away)
        call->facts = read_facts(w);
    else if (call->kind == CALL_LOOK && !w->database_away && json_is_object(w->sight))
        call->facts = json_deep_copy(w->sight);
    else if (call->kind == CALL_REACH && !w->database_away && json_is_object(w->reach))
        call->facts = json_deep_copy(w->reach);
    else if (call->kind == CALL_STATEMENTS && !w->database_away)
        call->facts = w->statements ? json_deep_copy(w->statements)
                                    : json_pack("{s:s}", "trouble", "it is not installed");
    else if (call->kind == CALL_WATCH && !w->database_away)
        call->facts = w->watched ? json_deep_copy(w->watched)
                                 : json_pack("{s:b, s:b, s:[], s:n}", "sees_all", 1, "yields", 1,
                                             "blockers", "progress");
    else if (call->kind == CALL_TERMINATE)
        end_session(w, call);
}

static inline void answer_load(struct world *w, struct call *call)
{
    const char *const order[] = {"migrations", "steps",      "approvals", "waivers",
                                 "apps",       "compatible", "roles",     "replicas"};
    const json_t *row;
    size_t i;

    json_t *window = json_copy(world_table(w, "window"));
    json_object_set_new(window, "last_event", json_integer(w->last_event));
    call->row(call->context, "window", window);
    json_decref(window);
    for (size_t t = 0; t < sizeof order / sizeof *order; t++) {
        for (int pass = 0; pass < 2; pass++) { /* superseded replicas come first */
            json_array_foreach(world_table(w, order[t]), i, row)
            {
                bool first = strcmp(order[t], "replicas") != 0 ||
                             json_is_true(json_object_get(row, "superseded"));
                if (first == (pass == 0) && strcmp(world_text(row, "state"), "gone") != 0)
                    call->row(call->context, order[t], row);
            }
        }
    }
    call->done.load(call->context, true);
}

static inline void answer_run(struct call *call)
{
    static const char *const sqlstates[] = {"", "55P03", "57014", "42P01", "", ""};
    struct execution_result result = {
        .status = call->run_status,
        .untouched = call->world->untouched,
        .error = {.message = "it did not work", .step = 1, .line = 3, .column = 1},
        .commit = {.status = COMMIT_DONE,
                   .generation = call->generation,
                   .event_ids = call->event_ids,
                   .event_count = call->event_count},
        .progress = call->progress,
        .load = call->batch_rows >= 0 ? call->world->batches.load : (struct batch_load){0},
        .seconds = &call->world->batches.seconds,
        .seconds_count = call->batch_rows >= 0 ? 1 : 0,
    };
    snprintf(result.error.sqlstate, sizeof result.error.sqlstate, "%s", sqlstates[call->run_status]);
    call->done.run(call->context, &result);
}

/* Delivers the answer; the call is over. */
static inline void world_answer(struct world *w, struct call *call)
{
    world_carry_out(w, call);
    DL_DELETE(w->calls, call);
    switch (call->kind) {
    case CALL_COMMIT:
        call->done.commit(call->context, &(struct commit_result){.status = call->commit_status,
                                                                 .generation = call->generation,
                                                                 .window = call->window,
                                                                 .event_ids = call->event_ids,
                                                                 .event_count = call->event_count,
                                                                 .error = "42601 refused"});
        break;
    case CALL_LOAD:
        if (w->database_away)
            call->done.load(call->context, false);
        else
            answer_load(w, call);
        break;
    case CALL_VERIFY:
        call->done.verify(call->context, call->facts);
        break;
    case CALL_LOOK:
        w->looks++;
        call->done.verify(call->context, call->facts);
        break;
    case CALL_REACH:
        call->done.verify(call->context, call->facts);
        break;
    case CALL_WATCH:
        w->watches++;
        call->done.verify(call->context, json_is_object(call->facts) ? call->facts : NULL);
        break;
    case CALL_STATEMENTS:
        w->readings++;
        call->done.verify(call->context, json_is_object(call->facts) ? call->facts : NULL);
        break;
    case CALL_USES:
        call->done.uses(call->context, call->uses);
        break;
    case CALL_TERMINATE:
        call->done.terminate(call->context, call->ended, w->terminate_error);
        break;
    case CALL_RUN:
        answer_run(call);
        break;
    case CALL_PLAN:
        call->done.plan(call->context, call->plan);
        break;
    }
    json_decref(call->changes);
    json_decref(call->progress);
    json_decref(call->facts);
    free(call->uses);
    free(call);
}

/* ---- what the coordinator sees ---- */

static inline struct call *new_call(struct world *w, enum call_kind kind, void *context)
{
    struct call *call = memory_new(sizeof *call);
    call->kind = kind;
    call->context = context;
    DL_APPEND(w->calls, call);
    return call;
}

static inline struct call *world_find(const struct world *w, enum call_kind kind)
{
    struct call *call;
    DL_FOREACH(w->calls, call)
    {
        if (call->kind == kind)
            return call;
    }
    return NULL;
}

static inline void store_commit(void *world, json_t *changes, int64_t expected, commit_done *done,
                                void *context)
{
    assert_null(world_find(world, CALL_COMMIT)); /* one at a time */
    struct call *call = new_call(world, CALL_COMMIT, context);
    call->changes = changes;
    call->expected = expected;
    call->done.commit = done;
}

static inline void store_load(void *world,
                              void (*row)(void *context, const char *table, const json_t *row),
                              void (*done)(void *context, bool ok), void *context)
{
    struct call *call = new_call(world, CALL_LOAD, context);
    call->row = row;
    call->done.load = done;
}

static inline void store_verify(void *world, void (*done)(void *context, const json_t *facts),
                                void *context)
{
    new_call(world, CALL_VERIFY, context)->done.verify = done;
}

static inline void store_events(void *world, int64_t after, const char *kind, int64_t version, int limit,
                                void (*done)(void *context, const json_t *rows), void *context)
{
    (void)after, (void)kind, (void)version, (void)limit;
    done(context, world_table(world, "events"));
}

static inline void note_command(struct call *call, const struct execution_command *command)
{
    size_t used = 0;

    for (size_t i = 0; command && command->arguments[i]; i++)
        used += (size_t)snprintf(call->command + used, sizeof call->command - used, "%s|",
                                 command->arguments[i]);
    if (command)
        snprintf(call->command + used, sizeof call->command - used, "%lld", (long long)command->timeout_ms);
}

static inline void executor_run(void *world, const struct execution *execution, execution_done *done,
                                void *context)
{
    assert_null(world_find(world, CALL_RUN)); /* never two runners */
    struct call *call = new_call(world, CALL_RUN, context);
    call->changes = execution->changes;
    call->version = execution->version;
    call->world = world;
    call->batch_rows = execution->batch.pieces ? execution->batch.rows : -1;
    call->progress = json_incref((json_t *)execution->batch.progress);
    call->statements = execution->statement_count;
    call->work_kind = execution->work ? execution->work->kind : WORK_STATEMENT;
    note_command(call, execution->command);
    snprintf(call->phase, sizeof call->phase, "%s", execution->phase);
    call->done.run = done;
}

static inline void executor_cancel(void *world)
{
    struct world *w = world;
    w->cancelled = world_find(w, CALL_RUN) != NULL;
}

#include "coordinator_senses.h" /* its calls are answered here */

static inline struct instant world_now(void *world)
{
    return ((struct world *)world)->now;
}

static inline void world_wake_at(void *world, int64_t boot_ms)
{
    struct world *w = world;
    assert_true(boot_ms > w->now.boot_ms); /* else the loop would spin */
    w->wake_at = boot_ms;
}

static inline void world_wake(void *world)
{
    ((struct world *)world)->woken = true;
}

static inline uint32_t world_chance(void *world)
{
    return ((struct world *)world)->chance;
}

static inline void world_changed(void *world)
{
    (void)world;
}

static inline void world_restart(void *world, const char *reason)
{
    struct world *w = world;
    w->restarts++;
    snprintf(w->restart_reason, sizeof w->restart_reason, "%s", reason);
}

/* ---- life ---- */

static inline struct world *world_new(void)
{
    static const struct store_ops store = {store_commit, store_load, store_verify, store_events};
    static const struct executor_ops executor = {executor_run, executor_cancel};
    static const struct witness_ops witness = {witness_ops_look, witness_ops_reach, witness_ops_statements,
                                               witness_ops_terminate, witness_ops_watch};
    static const struct planner_ops planner = {planner_read, planner_find_uses};
    static const struct world_ops world = {world_now, world_wake_at, world_wake,
                                           world_chance, world_changed, world_restart};
    struct world *w = memory_new(sizeof *w);

    log_open(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    w->now = (struct instant){1000000, 1795000000000};
    w->config.gate.lease_seconds = 30;
    w->config.gate.min_replicas = 1;
    w->config.gate.approval = (char *)"auto";
    w->config.migration.run_as = (char *)"";
    w->config.migration.lock_timeout_ms = 1000;
    w->config.migration.retry_first_ms = 500;
    w->config.migration.retry_max_ms = 8000;
    w->config.migration.retry_for_seconds = 3600;
    w->tables = json_pack("{s:{s:i, s:i, s:i, s:i}, s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[]}",
                          "window", "generation", 1, "floor", 0, "ceiling", 0, "baseline", 0,
                          "migrations", "steps", "approvals", "waivers", "apps", "compatible",
                          "roles", "replicas", "events");
    w->sight = json_pack("{s:b, s:[], s:[], s:[], s:[], s:f}", "sees_all", 1, "sessions", "pins",
                         "barred_roles", "standbys", "lag_seconds", 0.0);
    const struct environment environment = {&store, w, &executor, w,      &witness,
                                            w,      &planner, w,  &world, w};
    w->c = coordinator_new(&w->config, &environment);
    return w;
}

static inline void world_free(struct world *w)
{
    coordinator_stop(w->c);
    while (w->calls)
        world_answer(w, w->calls);
    coordinator_tick(w->c);
    coordinator_free(w->c);
    json_decref(w->tables);
    json_decref(w->sight);
    json_decref(w->reach);
    json_decref(w->watched);
    json_decref(w->statements);
    free(w);
}

static inline bool world_turn(struct world *w)
{
    struct call *call = w->calls;

    while (call && call->held)
        call = call->next;
    if (call) {
        world_answer(w, call);
    } else if (w->woken) {
        w->woken = false;
        coordinator_tick(w->c);
    } else {
        return false;
    }
    return true;
}

/* Until nothing is left to do at this moment. */
static inline void world_settle(struct world *w)
{
    for (int turns = 0; world_turn(w); turns++)
        assert_true(turns < 100000);
}

/* Lets time pass, waking the coordinator whenever it has asked for it. */
static inline void world_pass(struct world *w, int64_t ms)
{
    int64_t end = w->now.boot_ms + ms;

    while (w->wake_at && w->wake_at <= end) {
        w->now.wall_ms += w->wake_at - w->now.boot_ms;
        w->now.boot_ms = w->wake_at;
        w->wake_at = 0;
        coordinator_tick(w->c);
        world_settle(w);
    }
    w->now.wall_ms += end - w->now.boot_ms;
    w->now.boot_ms = end;
}

/* Takes the lock, as far as the coordinator sees it; the state is still to be loaded. */
static inline void world_begin_term_on(struct world *w, const char *timeline)
{
    struct term term = {
        .epoch = ++w->epoch, .system_identifier = "7441", .since_wall = w->now.wall_ms};
    snprintf(term.timeline, sizeof term.timeline, "%s", timeline);
    w->restarts = 0;
    coordinator_begin_term(w->c, &term);
}

static inline void world_begin_term(struct world *w)
{
    world_begin_term_on(w, "00000001");
}

static inline void world_settle_as_leader(struct world *w)
{
    world_settle(w);
    assert_int_equal(coordinator_role(w->c), ROLE_LEADER);
}

static inline void world_lead(struct world *w)
{
    world_begin_term(w);
    world_settle_as_leader(w);
}

/* Nobody is told who waits for a call of the term that has ended. */
static inline void world_next_term(struct world *w)
{
    coordinator_end_term(w->c, "for a test");
    world_lead(w);
}

/* The sessions go: whoever waits for them is told. */
static inline void world_lose_calls(struct world *w)
{
    bool away = w->database_away;
    w->database_away = true;
    while (w->calls)
        world_answer(w, w->calls);
    w->database_away = away;
}

/* What database_restart_term comes to. */
static inline void world_restart_term(struct world *w)
{
    world_lose_calls(w);
    world_next_term(w);
}

/* The same, and the next ones reach another server. */
static inline void world_fail_over(struct world *w)
{
    world_lose_calls(w);
    coordinator_end_term(w->c, "for a test");
    world_begin_term_on(w, "00000002");
    world_settle_as_leader(w);
}

#endif
