/* Intents and their group commit. */
#include "journal.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many intents at most share a transaction: a commit stays short for those who wait behind it. */
#define GROUP_MAX 1000

void journal_init(struct journal *journal)
{
    STAILQ_INIT(&journal->waiting);
    STAILQ_INIT(&journal->in_flight);
}

bool journal_is_idle(const struct journal *journal)
{
    return !journal->busy && STAILQ_EMPTY(&journal->waiting);
}

void journal_add(struct coordinator *c, struct intent *intent)
{
    STAILQ_INSERT_TAIL(&c->journal.waiting, intent, link);
    coordinator_wake(c);
}

void intent_answer(const struct intent *intent, const struct outcome *outcome)
{
    if (intent->answer)
        intent->answer(intent->context, outcome);
}

bool intent_refuse(const struct intent *intent, enum problem problem, const char *format, ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    intent_answer(intent, &(struct outcome){.problem = problem, .detail = detail});
    return false;
}

static void release(struct intent *intent)
{
    if (intent->kind->release)
        intent->kind->release(intent);
    free(intent->subject);
    free(intent);
}

static struct intent *take(struct intent_list *list)
{
    struct intent *intent = STAILQ_FIRST(list);
    if (intent)
        STAILQ_REMOVE_HEAD(list, link);
    return intent;
}

/* ---- failing ---- */

static void fail_one(const struct coordinator *c, struct intent *intent)
{
    static const enum problem problems[] = {
        [ROLE_STARTING] = PROBLEM_DATABASE_UNAVAILABLE, [ROLE_LEADER] = PROBLEM_DATABASE_UNAVAILABLE,
        [ROLE_CUT_OFF] = PROBLEM_DATABASE_UNAVAILABLE,  [ROLE_STANDBY] = PROBLEM_NOT_LEADER,
        [ROLE_STOPPING] = PROBLEM_STOPPING,
    };
    enum problem problem = problems[c->role];

    if (problem == PROBLEM_NOT_LEADER && *c->leader_url)
        intent_refuse(intent, problem, "another daemon leads: ask %s", c->leader_url);
    else if (problem == PROBLEM_NOT_LEADER)
        intent_refuse(intent, problem, "another daemon leads; it names no advertise_url");
    else if (problem == PROBLEM_STOPPING)
        intent_refuse(intent, problem, "the daemon is stopping: nothing was recorded; try again soon");
    else
        intent_refuse(intent, problem, "nothing is known to be recorded; try again soon: %s",
                      *c->trouble ? c->trouble : "the database is not ready");
    release(intent);
}

void journal_fail(struct coordinator *c)
{
    struct intent *intent;
    while ((intent = take(&c->journal.waiting)))
        fail_one(c, intent);
}

/* Returns whether one of them was the daemon's own: what it stood for must not be forgotten. */
static bool fail_in_flight(struct coordinator *c)
{
    struct intent *intent;
    bool own = false;
    while ((intent = take(&c->journal.in_flight))) {
        own |= !intent->answer;
        fail_one(c, intent);
    }
    return own;
}

/* ---- committing ---- */

struct subject {
    UT_hash_handle hh;
};

static bool is_claimed(const struct subject *group, const struct intent *intent)
{
    struct subject *present;
    HASH_FIND_STR(group, intent->subject, present);
    return present;
}

/* The subject stays the intent's: only one that goes into the transaction claims it. */
static void claim(struct subject **group, const struct intent *intent)
{
    struct subject *subject = memory_new(sizeof *subject);
    HASH_ADD_KEYPTR(hh, *group, intent->subject, strlen(intent->subject), subject);
}

static void clear(struct subject **group)
{
    struct subject *subject, *next;
    HASH_ITER(hh, *group, subject, next)
    {
        HASH_DEL(*group, subject);
        free(subject);
    }
}

/* Decides the longest run of intents that may share a transaction. */
static void collect(struct coordinator *c)
{
    struct journal *journal = &c->journal;
    struct subject *group = NULL;
    struct intent *intent;
    size_t count = 0;

    while ((intent = STAILQ_FIRST(&journal->waiting)) && count < GROUP_MAX) {
        bool exclusive = intent->kind->exclusive;
        if (exclusive ? count > 0 : is_claimed(group, intent))
            break;
        take(&journal->waiting);
        if (!intent->kind->decide(c, intent, &journal->changes)) {
            release(intent);
            continue;
        }
        STAILQ_INSERT_TAIL(&journal->in_flight, intent, link);
        count++;
        journal->exclusive = exclusive;
        if (exclusive)
            break;
        claim(&group, intent);
    }
    clear(&group);
}

void journal_note_generation(struct coordinator *c, int64_t generation)
{
    if (generation > c->generation)
        c->generation = generation;
}

static void committed(struct coordinator *c, const struct commit_result *result)
{
    struct intent *intent;

    journal_note_generation(c, result->generation);
    coordinator_prove_lead(c, c->journal.asked_boot);
    c->counts.commits++;
    term_note_events(c, &c->journal.changes, result);
    changes_free(&c->journal.changes);
    while ((intent = take(&c->journal.in_flight))) {
        intent->kind->apply(c, intent);
        release(intent);
    }
    coordinator_changed(c);
    rollout_advance(c);
}

/* Somebody else wrote the window row: the executor, whose word is on its way, or nobody that we know. */
static void stale(struct coordinator *c, const struct commit_result *result)
{
    STAILQ_CONCAT(&c->journal.in_flight, &c->journal.waiting);
    STAILQ_CONCAT(&c->journal.waiting, &c->journal.in_flight);
    changes_free(&c->journal.changes);
    if (window_equal(&result->window, &c->view.window))
        c->generation = result->generation;
    else if (!c->rollout.run)
        term_restart(c, "the window was changed behind our back");
    else
        return; /* the end of the execution flushes again */
    coordinator_wake(c);
}

static void done(void *context, const struct commit_result *result)
{
    struct coordinator *c = context;

    c->journal.busy = c->journal.exclusive = false;
    if (c->journal.term != c->rollout.term) { /* the next term has read, or will read, what came of it */
        changes_free(&c->journal.changes);
        fail_in_flight(c);
        journal_flush(c);
        return;
    }
    switch (result->status) {
    case COMMIT_DONE:
        committed(c, result);
        break;
    case COMMIT_STALE:
        stale(c, result);
        return;
    case COMMIT_FAILED:
        log_error("commit refused", LOG_TEXT("error", result->error));
        changes_free(&c->journal.changes);
        if (fail_in_flight(c))
            term_restart(c, "the database refused a commit");
        coordinator_wake(c); /* what waited for the end of an exclusive intent may be begun */
        break;
    case COMMIT_FENCED:
    case COMMIT_UNKNOWN:
        changes_free(&c->journal.changes);
        fail_in_flight(c);
        term_restart(c, result->status == COMMIT_FENCED ? "another daemon has taken over"
                                                        : "the store session was lost");
        break;
    }
    journal_flush(c);
}

void journal_flush(struct coordinator *c)
{
    if (c->journal.busy)
        return;
    if (!term_goes_on(c)) {
        journal_fail(c);
        return;
    }
    c->journal.leaving = 0;
    collect(c);
    if (STAILQ_EMPTY(&c->journal.in_flight)) {
        changes_free(&c->journal.changes);
        if (!STAILQ_EMPTY(&c->journal.waiting))
            coordinator_wake(c);
        return;
    }
    c->journal.busy = true;
    c->journal.term = c->rollout.term;
    c->journal.asked_boot = coordinator_now(c).boot_ms;
    c->env.store_ops->commit(c->env.store, changes_take(&c->journal.changes), c->generation, done, c);
    if (c->journal.leaving > 0)
        rollout_look_ahead(c);
}
