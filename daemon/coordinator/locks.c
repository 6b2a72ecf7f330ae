/* Waiting for table locks (docs/design.md §7): the witness watches the tables, without queueing, until
 * no old transaction is in the way of the next try; who is in the way is named, and may be ended. */
#include "locks.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD_MS 50           /* a try waits for a younger transaction in passing: lock_timeout is longer */
#define FIRST_PAUSE_MS 20   /* between two looks; it grows */
#define PAUSE_MAX_MS 100
#define FRESH_MS 20         /* so long a quiet moment counts */
#define RUN_PAUSE_MS 50     /* before the first look at a try that runs, doubling */
#define RUN_PAUSE_MAX_MS 1000
/* So long no try is made because of the same old transactions; and where they come and go, so that there
 * is never a quiet moment. Then one is made all the same: it fails after its lock_timeout, or goes
 * through. */
#define PATIENCE_MS 30000
#define PATIENCE_PASSING_MS 1000
#define AGAIN_MS 10000      /* after a session could not be ended */

/* ---- what the next transaction locks ---- */

static enum plan_section next_section(const struct migration *m)
{
    return m->phase == PHASE_QUEUED     ? PLAN_EXPAND
           : m->phase == PHASE_EXPANDED ? PLAN_CONTRACT
           : m->phase == PHASE_HIDDEN   ? PLAN_PURGE
                                        : migration_section(m);
}

/* Weaker locks keep nobody waiting who only reads and writes. Outside of transactions there is no
 * lock_timeout, and what runs CONCURRENTLY does not need one. */
static void collect_locks(const struct step *steps, size_t count, struct plan_work *all)
{
    for (size_t i = 0; i < count && steps[i].transactional && steps[i].work.kind == WORK_STATEMENT; i++)
        for (size_t j = 0; j < steps[i].work.lock_count; j++)
            if (steps[i].work.locks[j].mode >= LOCK_SHARE_UPDATE_EXCLUSIVE)
                plan_work_lock_as(all, &steps[i].work.locks[j]);
}

static void next_locks(struct migration *m, struct plan_work *all)
{
    const struct step *first = migration_next_step(m, next_section(m));
    *all = (struct plan_work){0};
    if (first)
        collect_locks(first, migration_transaction_steps(m, first), all);
}

/* ---- what was seen ---- */

static void forget_seen(struct lock_wait *wait)
{
    free(wait->blockers);
    json_decref(wait->seen);
    wait->blockers = NULL;
    wait->blocker_count = 0;
    wait->seen = NULL;
}

void locks_forget(struct migration *m)
{
    const struct lock_wait wait = m->lock;

    forget_seen(&m->lock);
    free(wait.told_to_end);
    m->lock = (struct lock_wait){.asked = wait.asked, .ahead = wait.ahead, .ahead_boot = wait.ahead_boot,
                                 .ending = wait.ending};
}

static void read_blocker(struct blocker *b, const json_t *row)
{
    *b = (struct blocker){
        .pid = (int)record_number(row, "pid"),
        .gid = json_string_value(json_object_get(row, "gid")),
        .kind = record_text(row, "kind"),
        .relation = record_text(row, "relation"),
        .role = record_text(row, "role"),
        .application_name = record_text(row, "application_name"),
        .state = record_text(row, "state"),
        .backend_start = record_text(row, "backend_start"),
        .transaction_start = record_text(row, "transaction_start"),
        .since_wall = record_time(row, "since"),
        .state_seconds = json_number_value(json_object_get(row, "state_seconds")),
        .transaction_seconds = json_number_value(json_object_get(row, "transaction_seconds")),
        .query_seconds = json_number_value(json_object_get(row, "query_seconds")),
        .blocks = record_flag(row, "blocks"),
        .waits_for = json_object_get(row, "waits_for"),
    };
}

/* Of a try that runs only those count that it waits for. */
static void take_in(struct migration *m, const json_t *seen)
{
    struct lock_wait *wait = &m->lock;
    const json_t *rows = json_object_get(seen, "blockers"), *row;
    size_t i;

    forget_seen(wait);
    wait->seen = json_incref((json_t *)seen);
    wait->blockers = memory_new((json_array_size(rows) + 1) * sizeof *wait->blockers);
    json_array_foreach(rows, i, row)
    {
        struct blocker *b = &wait->blockers[wait->blocker_count];
        read_blocker(b, row);
        if (!m->running || b->blocks)
            wait->blocker_count++;
    }
    wait->blind = !record_flag(seen, "sees_all");
}

/* ---- looking ---- */

struct glance {
    struct coordinator *c;
    int64_t version;
    unsigned term;
    bool again; /* sessions that were told to end before */
};

static void end_idle(struct coordinator *c, struct migration *m);

static void pause_before_next(struct lock_wait *wait, int64_t now, bool running)
{
    int64_t first = running ? RUN_PAUSE_MS : FIRST_PAUSE_MS;
    int64_t most = running ? RUN_PAUSE_MAX_MS : PAUSE_MAX_MS;
    int64_t longer = wait->pause_ms + wait->pause_ms / (running ? 1 : 4);

    wait->pause_ms = longer < first ? first : longer < most ? longer : most;
    wait->due_boot = now + wait->pause_ms;
}

static void note_seen(struct coordinator *c, struct migration *m, const json_t *seen)
{
    int64_t now = coordinator_now(c).boot_ms;

    if (seen)
        take_in(m, seen);
    pause_before_next(&m->lock, now, m->running);
    /* Who cannot be told to be old is not waited for: the try is made, and its lock_timeout protects. */
    if (!seen || m->lock.blind || m->lock.blocker_count == 0) {
        m->lock.free_boot = now;
        m->lock.due_boot = now + FRESH_MS; /* something else may be under way until then */
    }
    end_idle(c, m);
}

static void note_ahead(const struct coordinator *c, struct lock_wait *wait, const json_t *seen)
{
    bool free = record_flag(seen, "sees_all") && json_array_size(json_object_get(seen, "blockers")) == 0;

    wait->ahead_boot = wait->ahead && free ? coordinator_now(c).boot_ms : 0;
}

static void glanced(void *context, const json_t *seen)
{
    struct glance glance = *(struct glance *)context;
    struct coordinator *c = glance.c;
    struct migration *m = migrations_find(c, glance.version);

    free(context);
    if (glance.term != c->rollout.term || !m)
        return;
    m->lock.asked = false;
    if (m->running || m->lock.since_boot)
        note_seen(c, m, seen);
    else if (seen)
        note_ahead(c, &m->lock, seen); /* or it waits no more */
    m->lock.ahead = false;
    coordinator_changed(c);
    rollout_advance(c);
}

static void look(struct coordinator *c, struct migration *m, const struct plan_work *all)
{
    struct glance *glance = memory_new(sizeof *glance);
    *glance = (struct glance){.c = c, .version = m->version, .term = c->rollout.term};
    m->lock.asked = true;
    c->env.witness_ops->watch(c->env.witness,
                              &(struct watch_request){.locks = all->locks,
                                                      .lock_count = all->lock_count,
                                                      .older_than_ms = OLD_MS,
                                                      .run_as = c->config->migration.run_as},
                              glanced, glance);
}

/* ---- when a try is made ---- */

/* Whether those in the way come and go: then the next moment may be as good as any. */
static bool are_passing(const struct lock_wait *wait)
{
    for (size_t i = 0; i < wait->blocker_count; i++)
        if (wait->blockers[i].transaction_seconds * 1000 >= PATIENCE_PASSING_MS || !wait->blockers[i].pid)
            return false;
    return wait->blocker_count > 0;
}

/* The last try of all is made as well: PostgreSQL's own error says why the migration has failed. */
static int64_t patience_ends(const struct coordinator *c, const struct migration *m)
{
    int64_t last = m->first_try_boot + c->config->migration.retry_for_seconds * 1000;
    int64_t next = m->lock.since_boot + (are_passing(&m->lock) ? PATIENCE_PASSING_MS : PATIENCE_MS);
    return last < next ? last : next;
}

static bool is_quiet(const struct lock_wait *wait, int64_t now)
{
    return !wait->asked && wait->free_boot && now - wait->free_boot <= FRESH_MS;
}

static void begin_watch(struct migration *m, int64_t now)
{
    m->next_try_wall = 0; /* that time is over: the next try is made when the tables are quiet */
    m->lock.since_boot = m->lock.due_boot = now;
    m->lock.pause_ms = 0;
    m->lock.free_boot = m->lock.ahead_boot;
    m->lock.ahead_boot = 0;
    if (m->first_try_boot == 0)
        m->first_try_boot = now;
}

bool locks_are_free(struct coordinator *c, struct migration *m)
{
    int64_t now = coordinator_now(c).boot_ms;
    struct plan_work all;
    bool try;

    next_locks(m, &all);
    if (all.lock_count > 0 && !m->lock.since_boot)
        begin_watch(m, now);
    try = all.lock_count == 0 || is_quiet(&m->lock, now) || now >= patience_ends(c, m);
    if (try)
        m->lock.since_boot = 0;
    else if (!m->lock.asked && m->lock.due_boot <= now)
        look(c, m, &all);
    plan_work_release(&all);
    return try;
}

bool locks_are_asked_about(const struct migration *m)
{
    return m->lock.asked && m->lock.since_boot && !m->lock.seen;
}

void locks_follow_run(struct coordinator *c)
{
    const struct run *run = c->rollout.run;
    struct migration *m = run ? migrations_find(c, run->version) : NULL;
    struct plan_work all = {0};

    if (!m || m->lock.asked || m->lock.due_boot > coordinator_now(c).boot_ms)
        return;
    collect_locks(run->steps, run->step_count, &all);
    look(c, m, &all);
    plan_work_release(&all);
}

/* What waits for the run's end, where that is the end of an expand. */
static struct migration *next_expand(const struct coordinator *c, const struct run *run)
{
    struct migration *m = c->migrations;

    if (run->section != PLAN_EXPAND || !run->transition || run->transition->event != EVENT_PHASE_DONE)
        return NULL;
    while (m && (m->version <= run->version || m->phase != PHASE_QUEUED))
        m = m->by_version.next;
    return m;
}

void locks_look_past(struct coordinator *c, const struct run *run)
{
    struct migration *m = next_expand(c, run);

    if (m)
        locks_look_ahead(c, m);
}

void locks_look_ahead(struct coordinator *c, struct migration *m)
{
    struct plan_work all;

    if (m->lock.asked || m->lock.since_boot)
        return;
    next_locks(m, &all);
    m->lock.ahead = all.lock_count > 0;
    if (m->lock.ahead)
        look(c, m, &all);
    plan_work_release(&all);
}

void locks_begin_run(const struct coordinator *c, struct migration *m)
{
    forget_seen(&m->lock);
    m->lock.since_boot = m->lock.free_boot = 0;
    m->lock.pause_ms = RUN_PAUSE_MS / 2;
    pause_before_next(&m->lock, coordinator_now(c).boot_ms, true);
}

int64_t locks_due_boot(const struct coordinator *c, const struct migration *m)
{
    int64_t ends;

    if (m->running)
        return m->lock.asked ? 0 : m->lock.due_boot;
    if (c->rollout.busy || !m->lock.since_boot)
        return 0;
    ends = patience_ends(c, m);
    return m->lock.asked || ends < m->lock.due_boot ? ends : m->lock.due_boot;
}

/* ---- ending those in the way ---- */

static void ended_idle(void *context, const struct outcome *outcome)
{
    struct glance glance = *(struct glance *)context;
    struct migration *m = migrations_find(glance.c, glance.version);

    free(context);
    if (outcome->problem != PROBLEM_NONE && !glance.again)
        log_warn("sessions that are idle in transaction could not be ended",
                 LOG_NUMBER("version", glance.version), LOG_TEXT("because", outcome->detail));
    if (!m)
        return;
    m->lock.ending = false;
    m->lock.end_again_boot =
        outcome->problem == PROBLEM_NONE ? 0 : coordinator_now(glance.c).boot_ms + AGAIN_MS;
}

static bool is_session(const struct blocker *b)
{
    return b->pid && strcmp(b->kind, "session") == 0;
}

static bool is_idle(const struct blocker *b)
{
    return strcmp(b->kind, "session") == 0 && strncmp(b->state, "idle in transaction", 19) == 0;
}

/* Where ending them is refused they are told again and again, for a grant may come; the event that names them
 * is written once. */
static bool were_told(struct lock_wait *wait, const struct blocker_list *list)
{
    struct buf names = BUF_INIT(0);
    bool told = wait->told_to_end != NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct blocker *b = list->blockers[i];
        char name[128];

        snprintf(name, sizeof name, "%d %s %s\n", b->pid, b->backend_start, b->transaction_start);
        told = told && strstr(wait->told_to_end, name);
        buf_puts(&names, name);
    }
    free(wait->told_to_end);
    wait->told_to_end = buf_take(&names);
    return told;
}

/* By configuration: no person is asked. */
static void end_idle(struct coordinator *c, struct migration *m)
{
    int64_t bound = c->config->migration.terminate_idle_in_transaction_seconds;
    struct lock_wait *wait = &m->lock;
    struct blocker_list list = {.idle_only = true};

    if (bound <= 0 || wait->ending || wait->end_again_boot > coordinator_now(c).boot_ms)
        return;
    for (size_t i = 0; i < wait->blocker_count && list.count < BLOCKERS_ENDED_MAX; i++)
        if (is_idle(&wait->blockers[i]) && wait->blockers[i].state_seconds > (double)bound)
            list.blockers[list.count++] = &wait->blockers[i];
    if (list.count == 0)
        return;
    char reason[96];
    struct glance *glance = memory_new(sizeof *glance);
    list.recorded = were_told(wait, &list);
    *glance = (struct glance){
        .c = c, .version = m->version, .term = c->rollout.term, .again = list.recorded};
    snprintf(reason, sizeof reason, "idle in transaction for more than %lld s", (long long)bound);
    wait->ending = true;
    sessions_end_blockers(c, m->version, &list, reason, NULL, ended_idle, glance);
}

bool coordinator_can_unblock(const struct coordinator *c, const struct migration *m)
{
    if (!term_goes_on(c))
        return false;
    for (size_t i = 0; i < m->lock.blocker_count; i++)
        if (is_session(&m->lock.blockers[i]))
            return true;
    return false;
}

static void refuse(enum problem problem, const char *detail, coordinator_answer *answer, void *context)
{
    answer(context, &(struct outcome){.problem = problem, .detail = detail});
}

void coordinator_unblock(struct coordinator *c, int64_t version, const char *reason, const char *actor,
                         coordinator_answer *answer, void *context)
{
    const struct migration *m = migrations_find(c, version);
    struct blocker_list list = {0};
    char detail[BLOCKER_ADVICE_SIZE + 64], advice[BLOCKER_ADVICE_SIZE];

    if (term_goes_on(c) && !m) {
        snprintf(detail, sizeof detail, "no migration has version %lld: `schemagate status` lists them",
                 (long long)version);
        refuse(PROBLEM_UNKNOWN_MIGRATION, detail, answer, context);
        return;
    }
    for (size_t i = 0; m && i < m->lock.blocker_count && list.count < BLOCKERS_ENDED_MAX; i++)
        if (is_session(&m->lock.blockers[i]))
            list.blockers[list.count++] = &m->lock.blockers[i];
    if (term_goes_on(c) && list.count == 0) {
        if (m->lock.blocker_count > 0)
            snprintf(detail, sizeof detail, "no client's session is in the way, but %s: %s",
                     m->lock.blockers[0].pid ? m->lock.blockers[0].kind : "a prepared transaction",
                     blocker_advice(&m->lock.blockers[0], version, advice));
        else
            snprintf(detail, sizeof detail, "no session is in the way of migration %lld now",
                     (long long)version);
        refuse(PROBLEM_INVALID_TRANSITION, detail, answer, context);
        return;
    }
    if (list.count > 0 && m->lock.blind && !*list.blockers[0]->backend_start) {
        snprintf(detail, sizeof detail,
                 "sessions of other roles cannot be told apart: GRANT pg_read_all_stats to the daemon's "
                 "database role; or, as a superuser: SELECT pg_terminate_backend(%d)", list.blockers[0]->pid);
        refuse(PROBLEM_NOT_TERMINATED, detail, answer, context);
        return;
    }
    sessions_end_blockers(c, version, &list, reason, actor, answer, context);
}

/* ---- telling ---- */

static const struct {
    const char *kind, *advice;
} advices[] = {
    {"autovacuum", "it makes way after deadlock_timeout, which a try does not wait for: "
                   "GRANT SET ON PARAMETER deadlock_timeout TO the daemon's role (PostgreSQL 15), or "
                   "wait for its end"},
    {"autovacuum-wraparound", "it prevents transaction ids from wrapping around and makes way for nobody: "
                              "wait for its end, and do not cancel it"},
    {"replication", "a subscription copies the table, or a slot is made: wait for its end"},
    {"background", "a background worker: wait for the end of what it works for"},
};

/* Of a prepared transaction, as a literal. */
static void quote_gid(const struct blocker *b, char *text, size_t size)
{
    size_t used = 0;

    text[used++] = '\'';
    for (const char *at = b->gid ? b->gid : ""; *at && used + 3 < size; at++) {
        if (*at == '\'')
            text[used++] = '\'';
        text[used++] = *at;
    }
    text[used++] = '\'';
    text[used] = '\0';
}

static void advise_preparer(const struct blocker *b, char *text, size_t size)
{
    char gid[2 * 200 + 3]; /* PostgreSQL's bound, doubled and quoted */

    quote_gid(b, gid, sizeof gid);
    snprintf(text, size, "COMMIT PREPARED %s or ROLLBACK PREPARED %s, in this database, ends it", gid, gid);
}

static void advise_session(const struct blocker *b, int64_t version, char *text, size_t size)
{
    int64_t first = json_integer_value(json_array_get(b->waits_for, 0));

    if (first)
        snprintf(text, size,
                 "it waits for pid %lld itself: look there first; or `schemagate unblock %lld` ends it",
                 (long long)first, (long long)version);
    else
        snprintf(text, size,
                 "wait for the end of its transaction, or `schemagate unblock %lld` ends the session",
                 (long long)version);
}

const char *blocker_advice(const struct blocker *b, int64_t version, char text[BLOCKER_ADVICE_SIZE])
{
    if (!b->pid || strcmp(b->kind, "session") == 0) {
        if (b->pid)
            advise_session(b, version, text, BLOCKER_ADVICE_SIZE);
        else
            advise_preparer(b, text, BLOCKER_ADVICE_SIZE);
        return text;
    }
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (strcmp(advices[i].kind, b->kind) == 0)
            return advices[i].advice;
    return NULL;
}

static void describe(const struct blocker *b, char *text, size_t size)
{
    if (!b->pid)
        snprintf(text, size, "prepared transaction %s", b->gid ? b->gid : "");
    else
        snprintf(text, size, "pid %d (%s)", b->pid,
                 *b->application_name ? b->application_name
                 : strcmp(b->kind, "session") == 0 && *b->role ? b->role
                                                               : b->kind);
}

const json_t *coordinator_progress(const struct migration *m, const struct step *step)
{
    const json_t *progress = json_object_get(m->lock.seen, "progress");
    bool runs = m->running && !step->transactional && step == migration_next_step(m, migration_section(m));

    return runs && json_is_object(progress) ? progress : NULL;
}

/* "building index: scanning table, 14241 of 43308 blocks" */
static bool summarize_progress(const struct migration *m, char *text, size_t size)
{
    const struct step *next = m->running ? migration_next_step(m, migration_section(m)) : NULL;
    const json_t *progress = next ? coordinator_progress(m, next) : NULL;

    if (progress)
        snprintf(text, size, "%s, %lld of %lld %s", record_text(progress, "phase"),
                 (long long)record_number(progress, "done"), (long long)record_number(progress, "total"),
                 record_text(progress, "unit"));
    return progress != NULL;
}

bool locks_summarize(const struct migration *m, char *text, size_t size)
{
    const struct lock_wait *wait = &m->lock;
    bool fails = m->next_try_boot && m->attempt;
    unsigned attempt = m->attempt + (m->running ? 0 : 1);
    char who[160] = "", more[32] = "";

    if (wait->blocker_count == 0 && !fails)
        return summarize_progress(m, text, size);
    if (wait->blocker_count == 0) {
        snprintf(text, size, "waits for a lock, try %u", attempt);
        return true;
    }
    describe(&wait->blockers[0], who, sizeof who);
    if (wait->blocker_count > 1)
        snprintf(more, sizeof more, " and %zu more", wait->blocker_count - 1);
    snprintf(text, size, "waits for a lock%s%s, try %u, blocked by %s%s",
             *wait->blockers[0].relation ? " on " : "", wait->blockers[0].relation, attempt, who, more);
    return true;
}
