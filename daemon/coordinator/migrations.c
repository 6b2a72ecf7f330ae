/* The collection of migrations, ascending by version, and what follows from it. */
#include "locks.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>

static int by_version_order(const struct migration *a, const struct migration *b)
{
    return (a->version > b->version) - (a->version < b->version);
}

struct migration *migrations_find(const struct coordinator *c, int64_t version)
{
    struct migration *m;
    HASH_FIND(by_version, c->migrations, &version, sizeof version, m);
    return m;
}

void migrations_insert(struct coordinator *c, struct migration *m)
{
    HASH_ADD_INORDER(by_version, c->migrations, version, sizeof m->version, m, by_version_order);
}

void migrations_remove(struct coordinator *c, struct migration *m)
{
    HASH_DELETE(by_version, c->migrations, m);
    migration_free(m);
}

void migration_error_free(struct migration_error *error)
{
    if (!error)
        return;
    free(error->message);
    free(error->detail);
    free(error->hint);
    free(error->context);
    json_decref(error->report);
    free(error);
}

void migration_error_cancel(struct migration_error *error)
{
    snprintf(error->sqlstate, sizeof error->sqlstate, "57014");
    memory_replace(&error->message, "cancelled by an operator");
}

struct migration_error *migration_cancellation(const struct migration *m)
{
    struct migration_error *error = memory_new(sizeof *error);
    enum plan_section section = migration_section(m);
    error->section = section == PLAN_SECTIONS ? PLAN_EXPAND : section;
    migration_error_cancel(error);
    return error;
}

void migration_free(struct migration *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->step_count; i++) {
        free(m->steps[i].sql);
        plan_work_release(&m->steps[i].work);
        json_decref(m->steps[i].progress);
    }
    free(m->steps);
    json_decref(m->hidden);
    locks_forget(m);
    usage_forget(m);
    waivers_free(m);
    json_decref(m->reach);
    json_decref(m->reach_ahead);
    json_decref(m->labels);
    migration_error_free(m->error);
    free(m->name);
    free(m->checksum);
    free(m->plan_checksum);
    free(m->approval);
    free(m->submitted_by);
    free(m->paused_by);
    free(m->paused_reason);
    free(m);
}

static const struct migration *above(const struct migration *m)
{
    return m->by_version.next;
}

static const struct migration *below(const struct migration *m)
{
    return m->by_version.prev;
}

/* Purges come in any order, but never beside another contract: the window has one marker for both. */
static int64_t other_under_way(const struct migration *m)
{
    for (int up = 0; up < 2; up++)
        for (const struct migration *other = up ? above(m) : below(m); other;
             other = up ? above(other) : below(other))
            if (other->phase == PHASE_CONTRACTING || other->phase == PHASE_PURGING)
                return other->version;
    return 0;
}

int64_t migration_earlier(const struct migration *m)
{
    int64_t earliest = 0;

    if (migration_is_kept(m))
        return other_under_way(m);
    for (const struct migration *other = below(m); other; other = below(other))
        if (!phase_is_final(other->phase) && other->phase != PHASE_HIDDEN)
            earliest = other->version;
    return earliest;
}

int64_t migration_later(const struct migration *m)
{
    for (const struct migration *other = above(m); other; other = above(other))
        if (other->phase != PHASE_UNDONE && other->phase != PHASE_CANCELLED)
            return other->version;
    return 0;
}

/* ---- the view ---- */

static bool is_served(const struct migration *m)
{
    return phase_is_expanded(m->phase) ||
           (m->phase == PHASE_UNDOING && phase_is_expanded(m->origin));
}

static bool is_pending(const struct migration *m)
{
    return m->phase == PHASE_QUEUED || m->phase == PHASE_EXPANDING || m->phase == PHASE_BACKFILLING;
}

void migrations_refresh_view(struct coordinator *c)
{
    struct window_view *view = &c->view;
    size_t count = HASH_CNT(by_version, c->migrations);
    int64_t *served = memory_grow((void *)view->served, count + 1, sizeof *served);
    int64_t *pending = memory_grow((void *)view->pending, count + 1, sizeof *pending);

    view->served = served;
    view->pending = pending;
    view->served_count = view->pending_count = 0;
    view->latest = c->baseline;
    if (c->baseline >= view->window.floor)
        served[view->served_count++] = c->baseline;
    for (const struct migration *m = c->migrations; m; m = above(m)) {
        if (is_served(m) && m->version >= view->window.floor)
            served[view->served_count++] = m->version;
        else if (is_pending(m))
            pending[view->pending_count++] = m->version;
        if (m->version > view->latest)
            view->latest = m->version;
    }
}

/* ---- facts of one migration ---- */

bool migration_has_steps(const struct migration *m, enum plan_section section)
{
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == section)
            return true;
    return false;
}

bool migration_can_go_back(const struct migration *m)
{
    bool added = migration_has_steps(m, PLAN_EXPAND) || migration_has_steps(m, PLAN_BACKFILL);
    return m->has_section[PLAN_UNDO] || !added;
}

bool migration_is_kept(const struct migration *m)
{
    return m->phase == PHASE_HIDDEN || m->phase == PHASE_PURGING;
}

void migration_take_hidden(struct migration *m, const json_t *rows)
{
    json_decref(m->hidden);
    m->hidden = json_array_size(rows) > 0 ? json_deep_copy(rows) : NULL;
}

int64_t migration_floor_below(const struct coordinator *c, const struct migration *m)
{
    int64_t *contracted = memory_new((HASH_CNT(by_version, c->migrations) + 1) * sizeof *contracted);
    size_t count = 0;

    for (const struct migration *other = c->migrations; other; other = above(other))
        if (phase_is_contracted(other->phase) && migration_has_steps(other, PLAN_CONTRACT))
            contracted[count++] = other->version;
    int64_t floor = window_floor_below(contracted, count, c->baseline, m->version);
    free(contracted);
    return floor;
}

bool migration_section_breaks(enum plan_section section)
{
    return section == PLAN_CONTRACT || section == PLAN_UNDO || section == PLAN_PURGE;
}

/* A statement outside of transactions that breaks something has its effects before anybody can write them
 * down: what was announced (run.c) counts as committed, because nobody can tell. */
static bool may_be_done(const struct step *step)
{
    bool announced = migration_section_breaks(step->section) && !step->transactional &&
                     step->started_wall != 0;
    return step->state == STEP_DONE || announced;
}

static bool any_step_done(const struct migration *m, enum plan_section section)
{
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == section && may_be_done(&m->steps[i]))
            return true;
    return false;
}

struct step *migration_next_step(const struct migration *m, enum plan_section section)
{
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == section && m->steps[i].state != STEP_DONE)
            return &m->steps[i];
    return NULL;
}

size_t migration_transaction_steps(const struct migration *m, const struct step *first)
{
    const struct step *end = m->steps + m->step_count, *step = first;
    while (step < end && step->section == first->section && step->transaction == first->transaction)
        step++;
    return (size_t)(step - first);
}

void migration_forget_tries(struct migration *m)
{
    m->attempt = 0;
    m->first_try_boot = m->next_try_boot = m->next_try_wall = 0;
    locks_forget(m);
}

enum plan_section migration_section(const struct migration *m)
{
    static const enum plan_section sections[PHASES] = {
        [PHASE_QUEUED] = PLAN_SECTIONS,      [PHASE_EXPANDING] = PLAN_EXPAND,
        [PHASE_BACKFILLING] = PLAN_BACKFILL, [PHASE_EXPANDED] = PLAN_SECTIONS,
        [PHASE_CONTRACTING] = PLAN_CONTRACT, [PHASE_HIDDEN] = PLAN_SECTIONS,
        [PHASE_PURGING] = PLAN_PURGE,        [PHASE_RESTORING] = PLAN_RESTORE,
        [PHASE_COMPLETE] = PLAN_SECTIONS,
        [PHASE_UNDOING] = PLAN_UNDO,         [PHASE_UNDONE] = PLAN_SECTIONS,
        [PHASE_CANCELLED] = PLAN_SECTIONS,
    };
    return sections[m->phase];
}

unsigned migration_facts(const struct coordinator *c, const struct migration *m)
{
    const struct window *window = &c->view.window;
    enum plan_section section = migration_section(m);
    const struct {
        bool holds;
        unsigned fact;
    } facts[] = {
        {migration_has_steps(m, PLAN_BACKFILL), FACT_BACKFILL},
        {migration_has_steps(m, PLAN_CONTRACT), FACT_CONTRACT},
        {migration_can_go_back(m), FACT_UNDO},
        {section != PLAN_SECTIONS && any_step_done(m, section), FACT_COMMITTED},
        {m->failed, FACT_FAILED},
        {m->running, FACT_RUNNING},
        {migration_later(m) == 0, FACT_NEWEST},
        {window->contracting == m->version || window->undoing == m->version, FACT_FENCED},
        {window_serves(&c->view, m->version), FACT_SERVED},
        {migration_has_steps(m, PLAN_PURGE), FACT_HIDES},
        {window->floor == m->version && (!window->contracting || window->contracting == m->version),
         FACT_FLOOR},
        {m->lock.since_boot != 0 || m->next_try_boot != 0, FACT_TRYING},
    };
    unsigned bits = 0;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (facts[i].holds)
            bits |= facts[i].fact;
    return bits;
}
