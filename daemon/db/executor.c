/* The executor: migration SQL in the session that holds the lock (coordinator/environment.h;
 * docs/design.md §5, §7). A transaction is one batch, from its fence to its COMMIT. */
#include "answer.h"
#include "backfill.h"
#include "cancel.h"
#include "command.h"
#include "execution.h"
#include "offload.h"
#include "online.h"
#include "sql.h"

#include <schemagate/base/failpoint.h>
#include <schemagate/base/memory.h>

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For the changes after what ran outside of transactions: a statement or command that is through is not begun
 * again because the store was at work on the same rows. */
#define CHANGES_LOCK_TIMEOUT "10s"
#define CANCEL_AGAIN_MS 200
#define ANSWER_MS 15000 /* for schemagate's own statements between those that were submitted */

/* Statements of a transaction that surround the submitted ones. */
#define BEFORE 4 /* BEGIN; the fence; search_path; what it runs under */
#define BEHIND 1 /* the same once more */
#define TIDY 5 /* the first two of them give back the daemon's own role */
#define TIDY_ROLE 2
#define AFTER 3 /* the changes; COMMIT; the markers (functions/markers.sql) */

static void executor_failpoint(const struct executor_try *try, const char *place)
{
    char name[64];

    snprintf(name, sizeof name, "%s-%s", try->execution.phase, place);
    failpoint(name);
}

/* ---- what surrounds submitted SQL ---- */

static void prepare(struct database *db, bool again, session_answered *done, void *context)
{
    const struct session_statement statements[] = {
        {.sql = "DEALLOCATE ALL"},
        session_prepare_pin(),
        {.sql = sql_execution_begin, .prepare = "begin"},
        {.sql = sql_note_settings, .prepare = "note"},
        {.sql = sql_execution_end, .prepare = "end"},
        {.sql = sql_settle, .prepare = "settle"},
        {.sql = sql_backfill_batch, .prepare = "batch"},
        {.sql = sql_backfill_end, .prepare = "batch_end"},
    };

    size_t first = again ? 0 : 2; /* a new session begins with its pin, and nothing to take away */
    session_run(db->holder, &(struct session_batch){
                                .statements = statements + first,
                                .count = sizeof statements / sizeof statements[0] - first,
                                .deadline_ms = ANSWER_MS, .done = done, .context = context});
}

void executor_prepare(struct database *db, session_answered *done)
{
    prepare(db, false, done, db);
}

static struct session_statement plain(const char *sql)
{
    return (struct session_statement){.sql = sql, .drops_rows = true};
}

/* Undoes what submitted SQL may have set for the session. Never DISCARD ALL: it would drop the
 * lock. */
static size_t add_tidy(const struct executor_try *try, struct session_statement *s)
{
    s[0] = plain("RESET SESSION AUTHORIZATION");
    s[1] = plain("RESET ROLE");
    s[2] = plain("RESET ALL");
    s[3] = plain("DISCARD TEMP");
    s[4] = session_pin(try->db->holder);
    return TIDY;
}

/* A batch takes the role itself, for the author's SQL alone. */
static const char *role_of(const struct execution *e)
{
    bool own = e->batch.pieces != NULL || e->run_as == NULL || e->run_as[0] == '\0';

    return own ? "none" : e->run_as;
}

static struct session_statement note_settings(const char *where)
{
    return (struct session_statement){
        .prepared = "note", .parameters = {where}, .parameter_count = 1, .drops_rows = true};
}

/* Without SQL the changes are all that is to be written, by the daemon's own role. */
static size_t add_before(const struct executor_try *try, struct session_statement *s, bool with_sql)
{
    const struct database *db = try->db;

    s[0] = plain("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    s[1] = (struct session_statement){
        .prepared = "begin",
        .parameters = {db->epoch, db->nonce, db->lock_key,
                       try->alone_done ? CHANGES_LOCK_TIMEOUT : try->lock_timeout,
                       try->statement_timeout, with_sql ? role_of(&try->execution) : "none",
                       db->may_hurry ? "t" : "f"},
        .parameter_count = 7,
        .drops_rows = true,
    };
    s[2] = plain("SET LOCAL search_path TO DEFAULT");
    s[3] = note_settings("schemagate.settings_before");
    return !with_sql ? BEFORE - 2 : backfill_is(try) ? BEFORE - 1 : BEFORE;
}

/* What the SQL sets openly, as the planner has let it, it may leave set. */
static const char *set_openly(const struct executor_try *try)
{
    static const char setting[] = "search_path";

    for (size_t i = 0; i < try->execution.statement_count; i++)
        if (strcasestr(try->execution.statements[i].sql, setting) != NULL)
            return setting;
    return "";
}

static size_t add_after(const struct executor_try *try, struct session_statement *s)
{
    const struct database *db = try->db;

    s[0] = backfill_is(try) ? backfill_end(try) : (struct session_statement){
        .prepared = "end",
        .parameters = {db->lock_key, db->epoch, db->nonce, try->changes, set_openly(try)},
        .parameter_count = 5,
    };
    s[1] = (struct session_statement){.sql = "COMMIT"};
    s[2] = (struct session_statement){.prepared = "settle", .drops_rows = true};
    return try->settles ? AFTER : AFTER - 1;
}

static void executor_send(struct executor_try *try, const struct session_statement *statements,
                          size_t count, int64_t deadline_ms, session_answered *done)
{
    try->sent = count;
    bool submitted = deadline_ms == 0 && !try->alone_done;
    try->interruptible = submitted && try->error == NULL;
    session_run(try->db->holder, &(struct session_batch){
                                     .statements = statements, .count = count,
                                     .deadline_ms = deadline_ms, .timed_first = try->first,
                                     .timed_count = submitted ? try->execution.statement_count : 0,
                                     .done = done, .context = try});
}

/* ---- a transaction ---- */

static void take_seconds(struct executor_try *try, const struct session_outcome *outcome)
{
    size_t ran = outcome->succeeded + (outcome->error != NULL ? 1 : 0);
    size_t count = try->execution.statement_count;

    for (size_t i = 0; i < count && try->first + i < ran && try->first + i < try->sent; i++) {
        try->seconds[i] += outcome->seconds[try->first + i];
        try->seconds_count = i + 1;
    }
}

static void take_error(struct executor_try *try, struct session_outcome *outcome)
{
    size_t i = outcome->succeeded;

    if (i >= try->first && i < try->first + try->execution.statement_count && !try->alone_done)
        try->failed = (unsigned)(i - try->first + 1);
    try->error = outcome->error;
    outcome->error = NULL;
    try->deallocated = try->failed == 0 && strcmp(answer_sqlstate(try->error), "26000") == 0;
}

static void on_prepared_again(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->error != NULL)
        leadership_fall(try->db, "what a migration has deallocated could not be prepared again");
    execution_finish_failed(try);
}

static void on_rolled_back(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->error != NULL) {
        leadership_fall(try->db, "a failed migration could not be rolled back");
    } else if (try->deallocated) {
        prepare(try->db, true, on_prepared_again, try);
        return;
    }
    execution_finish_failed(try);
}

static void roll_back(struct executor_try *try)
{
    const struct session_statement rollback = plain("ROLLBACK");

    executor_send(try, &rollback, 1, ANSWER_MS, on_rolled_back);
}

static void on_tidied_after(void *context, struct session_outcome *outcome)
{
    if (outcome->error != NULL && !outcome->lost)
        leadership_fall(context, "the session could not be made clean after a migration");
}

/* The rest of the tidying is nobody's wait: the server does it while the next step is decided. A
 * transaction that is rolled back needs none. */
static void tidy_after(const struct executor_try *try)
{
    struct session_statement tidy[TIDY];
    size_t count = add_tidy(try, tidy);

    session_run(try->db->holder,
                &(struct session_batch){.statements = tidy + TIDY_ROLE, .count = count - TIDY_ROLE,
                                        .deadline_ms = ANSWER_MS, .done = on_tidied_after,
                                        .context = try->db});
}

static void on_committed(struct executor_try *try, const struct session_outcome *outcome)
{
    struct execution_result result = {.status = EXECUTION_DONE};
    struct commit_answer answer = {0};
    const PGresult *end = outcome->results[try->commit - 1];
    bool read;

    executor_failpoint(try, "committed");
    if (!try->alone_done && try->execution.statement_count > 0 && !outcome->lost)
        tidy_after(try);
    if (backfill_is(try)) {
        read = backfill_read(outcome->results[try->first], end, &result);
    } else {
        read = commit_answer_read(&answer, PQgetvalue(end, 0, 2));
        result.commit = answer.result;
    }
    if (!read)
        result.status = EXECUTION_UNKNOWN;
    execution_finish_with(try, &result);
    json_decref((json_t *)result.progress);
    commit_answer_release(&answer);
}

static void on_transaction(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (!try->alone_done)
        take_seconds(try, outcome);
    if (outcome->succeeded > try->commit) { /* COMMIT was answered, whatever came after it */
        if (outcome->succeeded < try->sent)
            leadership_fall(try->db, "the markers of session pins cannot be set");
        on_committed(try, outcome);
    } else if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
    } else {
        take_error(try, outcome);
        roll_back(try);
    }
}

/* The work was done outside of this transaction, whose time is none of it. */
static void note_seconds(struct executor_try *try)
{
    json_t *changes = json_loads(try->changes, 0, NULL);
    json_t *step = json_array_get(json_object_get(changes, "steps"), 0);
    double before = json_number_value(json_object_get(step, "seconds"));

    json_object_set_new(step, "seconds", json_real(before + try->seconds[0]));
    json_object_del(step, "timed");
    free(try->changes);
    try->changes = json_dumps(changes, JSON_COMPACT);
    json_decref(changes);
}

/* with_sql: false where the SQL ran before, on its own. */
static void send_transaction(struct executor_try *try, bool with_sql)
{
    const struct execution *e = &try->execution;
    size_t submitted = with_sql ? e->statement_count : 0, count = 0;
    struct session_statement *s = memory_new((BEFORE + submitted + BEHIND + TIDY + AFTER) * sizeof *s);

    if (try->alone_done)
        note_seconds(try);
    count += add_before(try, s, submitted > 0);
    try->first = count;
    for (size_t i = 0; i < submitted; i++)
        s[count++] = backfill_is(try) ? backfill_batch(try) : plain(e->statements[i].sql);
    if (submitted > 0) {
        if (!backfill_is(try)) { /* a batch sets some of them itself (functions/backfill.sql) */
            s[count++] = note_settings("schemagate.settings_behind");
        }
        add_tidy(try, s + count);
        count += TIDY_ROLE;
    }
    try->commit = count + 1;
    count += add_after(try, s + count);
    executor_send(try, s, count, 0, on_transaction);
    free(s);
    executor_failpoint(try, "sent");
}

/* ---- a statement outside of transactions: online.h; fence; statements; tidy; the changes ---- */

static void on_tidied(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
    } else if (try->error != NULL) {
        execution_finish_failed(try);
    } else if (online_is_unfinished(try)) {
        execution_finish(try, EXECUTION_CANCELLED);
    } else if (outcome->error != NULL) {
        take_error(try, outcome);
        leadership_fall(try->db, "the session could not be made clean after a migration");
        execution_finish(try, EXECUTION_UNKNOWN);
    } else {
        try->alone_done = true;
        failpoint("alone-ran");
        send_transaction(try, false);
    }
}

static void tidy_alone(struct executor_try *try)
{
    struct session_statement tidy[TIDY + 1];
    size_t count = add_tidy(try, tidy);

    if (online_met_another(try))
        tidy[count++] = online_forget(try);
    executor_send(try, tidy, count, ANSWER_MS, on_tidied);
}

/* ---- what has failed: what a build has left is taken away at once, where nobody is in the way ---- */

static void take_away_next(struct executor_try *try);

/* What cannot be taken away now is found by the next attempt: false, and the try is on its way to its end. */
static bool goes_on_taking_away(struct executor_try *try, const struct session_outcome *outcome)
{
    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
    } else if (outcome->error != NULL) {
        online_tell_left_over(try);
        tidy_alone(try);
    } else {
        return true;
    }
    return false;
}

static void on_taken_away(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (goes_on_taking_away(try, outcome)) {
        try->place++;
        take_away_next(try);
    }
}

static void take_away_next(struct executor_try *try)
{
    if (!online_is_unfinished(try)) {
        try->untouched = try->goes_back;
        tidy_alone(try);
        return;
    }
    const struct session_statement statement = plain(online_next(try));
    executor_send(try, &statement, 1, 0, on_taken_away);
}

static void on_left_over_found(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (goes_on_taking_away(try, outcome)) {
        online_take_left_over(try, outcome);
        take_away_next(try);
    }
}

static void look_for_left_over(struct executor_try *try)
{
    struct session_statement s[ONLINE_STATEMENTS];

    executor_send(try, s, online_begin(try, role_of(&try->execution), s), ANSWER_MS, on_left_over_found);
}

/* ---- the statements, one after another ---- */

static void send_next_alone(struct executor_try *try);

static void on_alone(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    take_seconds(try, outcome);
    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
        return;
    }
    if (outcome->error != NULL) {
        take_error(try, outcome);
    } else {
        if (online_is_mending(try))
            failpoint("alone-mended");
        try->place++;
    }
    if (try->error == NULL && online_is_unfinished(try)) {
        send_next_alone(try);
    } else if (try->error != NULL && online_applies(try) && !online_met_another(try)) {
        look_for_left_over(try);
    } else {
        try->untouched = online_met_another(try);
        tidy_alone(try);
    }
}

/* Nothing is begun any more for somebody who has been told that it is cancelled. */
static void send_next_alone(struct executor_try *try)
{
    if (try->cancelled) {
        tidy_alone(try);
        return;
    }
    const struct session_statement statement = plain(online_next(try));
    try->first = 0;
    executor_send(try, &statement, 1, 0, on_alone);
    if (online_is_mending(try))
        failpoint("alone-mending");
    else
        executor_failpoint(try, "sent");
}

static void on_alone_fenced(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
        return;
    }
    if (outcome->error != NULL) {
        try->first = SIZE_MAX; /* none of the submitted statements ran */
        take_error(try, outcome);
        execution_finish_failed(try);
        return;
    }
    send_next_alone(try);
}

static void fence_alone(struct executor_try *try)
{
    const struct database *db = try->db;
    const struct session_statement s[] = {
        {.sql = sql_execution_alone,
         .parameters = {db->epoch, db->nonce, db->lock_key, try->statement_timeout,
                        role_of(&try->execution)},
         .parameter_count = 5,
         .drops_rows = true},
        plain("SET search_path TO DEFAULT"),
    };

    executor_send(try, s, sizeof s / sizeof s[0], ANSWER_MS, on_alone_fenced);
}

static void on_online_begun(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
    } else if (outcome->error != NULL) {
        take_error(try, outcome);
        try->untouched = online_met_another(try);
        execution_finish_failed(try);
    } else {
        online_take(try, outcome);
        failpoint("alone-noted");
        try->alone_done = !online_is_unfinished(try);
        if (try->alone_done)
            send_transaction(try, false);
        else
            fence_alone(try);
    }
}

static void send_alone(struct executor_try *try)
{
    struct session_statement s[ONLINE_STATEMENTS];

    assert(try->execution.statement_count == 1);
    if (online_applies(try)) {
        try->first = ONLINE_STATEMENTS - 1; /* an error of what asks is the step's own */
        executor_send(try, s, online_begin(try, role_of(&try->execution), s), ANSWER_MS, on_online_begun);
    } else {
        fence_alone(try);
    }
}

/* ---- a command: fence; command; the changes ---- */

static void on_command_succeeded(struct executor_try *try)
{
    try->alone_done = true;
    failpoint("alone-ran");
    send_transaction(try, false);
}

static void on_command_fenced(void *context, struct session_outcome *outcome)
{
    struct executor_try *try = context;

    if (outcome->lost) {
        execution_finish(try, EXECUTION_UNKNOWN);
    } else if (outcome->error != NULL) {
        try->first = SIZE_MAX; /* it was not started */
        take_error(try, outcome);
        execution_finish_failed(try);
    } else if (try->cancelled) {
        command_finish_cancelled(try);
    } else {
        command_start(try, on_command_succeeded);
        executor_failpoint(try, "sent");
    }
}

static void send_command(struct executor_try *try)
{
    const struct database *db = try->db;
    const struct session_statement fence = {.sql = sql_fence,
                                            .parameters = {db->epoch, db->nonce, db->lock_key},
                                            .parameter_count = 3,
                                            .drops_rows = true};

    assert(try->execution.statement_count == 1);
    executor_send(try, &fence, 1, ANSWER_MS, on_command_fenced);
}

/* ---- run ---- */

static void executor_begin(struct executor_try *try)
{
    executor_failpoint(try, "begin");
    if (try->execution.transactional || try->execution.statement_count == 0)
        send_transaction(try, true);
    else if (try->execution.command != NULL)
        send_command(try);
    else
        send_alone(try);
}

static void on_no_session(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    execution_finish(context, EXECUTION_UNKNOWN);
}

static void executor_run(void *executor, const struct execution *execution, execution_done *done,
                         void *context)
{
    struct database *db = executor;

    assert(db->running == NULL);
    db->running = execution_new(db, execution, done, context);
    if (!leadership_is_leading(db)) {
        const struct timeval now = {0, 0};
        event_base_once(db->base, -1, EV_TIMEOUT, on_no_session, db->running, &now);
    } else if (db->cancelling == NULL) {
        executor_begin(db->running);
    }
}

/* ---- cancel ---- */

/* PostgreSQL forgets a request that finds it between two statements, or before it has read the first one:
 * it is asked again until the try has ended. */
static void cancel_again(struct database *db)
{
    static const struct timeval again = {.tv_usec = CANCEL_AGAIN_MS * 1000};

    evtimer_add(db->cancel_again, &again);
}

static void on_cancelled(void *context)
{
    struct database *db = context;
    struct executor_try *waiting = db->running;

    db->cancelling = NULL;
    if (waiting == NULL)
        return;
    if (waiting->sent > 0)
        cancel_again(db);
    else if (waiting->cancelled)
        execution_finish(waiting, EXECUTION_CANCELLED);
    else
        executor_begin(waiting);
}

/* A request that comes late must not hit the next try: that one waits for it. */
static void executor_cancel(void *executor)
{
    struct database *db = executor;

    if (db->running == NULL || !leadership_is_leading(db))
        return;
    db->running->cancelled = true;
    if (executor_runs_command(db))
        command_kill(db->running);
    else if (db->cancelling == NULL)
        db->cancelling = cancel_start(db->base, session_connection(db->holder), on_cancelled, db);
}

void executor_on_cancel_again(struct database *db)
{
    if (db->running == NULL || !db->running->cancelled)
        return;
    if (db->running->interruptible)
        executor_cancel(db);
    else
        cancel_again(db);
}

bool executor_runs_command(const struct database *db)
{
    return db->running != NULL && db->running->child != NULL;
}

void executor_prove(struct database *db)
{
    if (executor_runs_command(db))
        command_prove(db->running);
}

void executor_close(struct database *db)
{
    if (executor_runs_command(db))
        command_abandon(db->running);
}

void executor_stop(struct database *db)
{
    struct executor_try *waiting = db->running;

    if (executor_runs_command(db)) {
        waiting->child_lost = true;
        command_kill(waiting);
    }
    if (db->cancelling != NULL) {
        offload_abandon(db->cancelling);
        db->cancelling = NULL;
        if (waiting != NULL && waiting->sent == 0)
            execution_finish(waiting, EXECUTION_UNKNOWN);
    }
}

const struct executor_ops database_executor_ops = {
    .run = executor_run,
    .cancel = executor_cancel,
};
