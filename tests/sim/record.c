/* What is written down: the registry never forgets who runs, every change comes with its event, and what an
 * operator was promised holds. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static bool holds(const json_t *row)
{
    const char *state = rows_text(row, "state");
    return strcmp(state, "live") == 0 || strcmp(state, "lost") == 0;
}

/* Whoever was told to run is in the registry, and holds. */
void record_check_registry(struct sim *s)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        struct process *p = &s->processes[i];
        char instance[16];
        if (p->state != PROCESS_RUNNING)
            continue;
        snprintf(instance, sizeof instance, "i%zu", p->instance);
        const json_t *row = rows_replica(&s->rows, app_names[p->app], instance, p->incarnation);
        bool held = row && holds(row);
        if (held && truth_works(s, p)) /* what it needs may be lost with its registration */
            p->given_up = GIVEN_UP_NOT;
        else if (!held && !p->given_up)
            sim_fail(s, "%s/%s (%s) runs, and the registry has it as %s", app_names[p->app], instance,
                     p->incarnation, row ? rows_text(row, "state") : "unknown");
    }
}

static const json_t *find_event(const json_t *changes, const char *kind, int64_t version,
                                const char *instance)
{
    const json_t *event;
    size_t i, length = strlen(kind);
    json_array_foreach(json_object_get(changes, "events"), i, event)
    {
        if (strncmp(rows_text(event, "kind"), kind, length) == 0 &&
            rows_number(event, "version") == version &&
            (!instance || strcmp(rows_text(event, "instance"), instance) == 0))
            return event;
    }
    return NULL;
}

/* Further tries of a contract or an undo go from phase to phase and back without a word. */
static bool is_further_try(const char *from, const char *to)
{
    static const char *const pairs[][2] = {{"expanded", "contracting"}, {"hidden", "purging"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t back = 0; back < 2; back++)
            if (strcmp(from, pairs[i][back]) == 0 && strcmp(to, pairs[i][1 - back]) == 0)
                return true;
    return false;
}

static void check_migration(struct sim *s, const json_t *changes, const json_t *change)
{
    int64_t version = rows_number(change, "version");
    const json_t *row = rows_migration(&s->rows, version);
    const char *phase = rows_text(change, "phase"), *now = row ? rows_text(row, "phase") : "";
    bool fails = json_is_true(json_object_get(change, "failed")) &&
                 !json_is_true(json_object_get(row, "failed"));

    if (json_object_get(change, "phase") && strcmp(phase, now) != 0 && !is_further_try(now, phase) &&
        !find_event(changes, row ? "migration." : "migration.submitted", version, NULL))
        sim_fail(s, "%lld goes from %s to %s without an event", (long long)version, now, phase);
    if (fails && !find_event(changes, "migration.failed", version, NULL))
        sim_fail(s, "%lld fails without an event", (long long)version);
    /* A corrected plan is paused as the one before was. */
    bool other = json_is_true(json_object_get(change, "paused")) !=
                 json_is_true(json_object_get(row, "paused"));
    if (json_object_get(change, "paused") && row && !json_object_get(change, "replaced") && other &&
        !find_event(changes, "operator.", version, NULL))
        sim_fail(s, "%lld is paused or resumed without an event", (long long)version);
}

static void check_replica(struct sim *s, const json_t *changes, const json_t *change)
{
    const char *state = rows_text(change, "state"), *instance = rows_text(change, "instance");
    const json_t *row = rows_replica(&s->rows, rows_text(change, "app"), instance,
                                     rows_text(change, "incarnation"));

    if ((!row || strcmp(rows_text(row, "state"), state) != 0) &&
        !find_event(changes, "replica.", 0, instance))
        sim_fail(s, "%s becomes %s without an event", instance, state);
}

void record_check(struct sim *s, const json_t *changes)
{
    const json_t *change;
    size_t i;
    json_array_foreach(json_object_get(changes, "migrations"), i, change)
    {
        check_migration(s, changes, change);
    }
    json_array_foreach(json_object_get(changes, "replicas"), i, change)
    {
        check_replica(s, changes, change);
    }
    evidence_check(s, changes);
}

/* ---- before a migration's SQL ---- */

/* On this timeline. */
static bool is_approved(const struct sim *s, int64_t version)
{
    char timeline[16];
    const char *key;
    const json_t *row;
    snprintf(timeline, sizeof timeline, "%08llX", (unsigned long long)s->server.timeline);
    json_object_foreach(s->rows.tables[ROWS_APPROVALS], key, row)
    {
        if (rows_number(row, "version") == version && strcmp(rows_text(row, "timeline"), timeline) == 0)
            return true;
    }
    return false;
}

static void check_contract(struct sim *s, const struct blueprint *b)
{
    if (rows_window(&s->rows).contracting != b->version)
        sim_fail(s, "contract %lld runs, and admission is open", (long long)b->version);
    if (b->manual && !is_approved(s, b->version))
        sim_fail(s, "contract %lld runs without approval", (long long)b->version);
    if (!b->executed[PLAN_CONTRACT] && s->now - b->behind_until < b->soak_seconds * 1000)
        sim_fail(s, "contract %lld runs %lld ms after the last replica below it, and was to soak %lld s",
                 (long long)b->version, (long long)(s->now - b->behind_until),
                 (long long)b->soak_seconds);
}

static void check_purge(struct sim *s, const struct blueprint *b)
{
    if (rows_window(&s->rows).contracting != b->version)
        sim_fail(s, "the purge of %lld runs without its fence", (long long)b->version);
    if (b->manual && !is_approved(s, b->version))
        sim_fail(s, "the purge of %lld runs without approval", (long long)b->version);
    if (!b->hours_passed)
        sim_fail(s, "%lld is purged before its time", (long long)b->version);
}

#define LONGEST_LEASE_AND_GRACE_MS 15000

/* What a failover has lost has had the time to say so. */
static void check_settled(struct sim *s, const struct statement *st)
{
    int64_t since = s->now - s->server.failed_over_at;
    if (s->server.failed_over_at && since < LONGEST_LEASE_AND_GRACE_MS)
        sim_fail(s, "%s %lld runs %lld ms after a failover", plan_section_name(st->section),
                 (long long)st->version, (long long)since);
}

void record_check_start(struct sim *s, const struct statement *st)
{
    const struct blueprint *b = truth_find(s, st->version);
    const struct blueprint *needed = b && b->requires ? truth_find(s, b->requires) : NULL;

    if (!b)
        sim_fail(s, "%lld runs, and nobody has submitted it", (long long)st->version);
    if (st->section == PLAN_CONTRACT || st->section == PLAN_UNDO || st->section == PLAN_PURGE)
        check_settled(s, st);
    if (st->section == PLAN_CONTRACT)
        evidence_check_contract(s, b->version);
    if (st->section == PLAN_CONTRACT)
        check_contract(s, b);
    if (st->section == PLAN_PURGE)
        check_purge(s, b);
    if (st->section == PLAN_UNDO && rows_window(&s->rows).undoing != st->version)
        sim_fail(s, "undo %lld runs, and admission is open", (long long)st->version);
    if (st->section == PLAN_EXPAND && needed &&
        strcmp(rows_text(rows_migration(&s->rows, needed->version), "phase"), "complete") != 0)
        sim_fail(s, "%lld runs before %lld is complete, which it requires", (long long)b->version,
                 (long long)needed->version);
}
