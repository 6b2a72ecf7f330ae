/* What is under way in one line: of a migration, and of everything. */
#include "locks.h"
#include "record.h"
#include "state.h"
#include "wording.h"

#include <schemagate/base/clock.h>

#include <stdio.h>
#include <string.h>

static size_t fleet_size(const struct coordinator *c)
{
    size_t size = 0;
    for (size_t a = 0; a < c->registry.gate_app_count; a++) {
        const struct application *app =
            registry_find_app(&c->registry, c->registry.gate_apps[a]->name);
        size += app->gate.live + app->lost;
    }
    return size;
}

static bool summarize_failure(const struct migration *m, char *text, size_t size)
{
    const struct migration_error *error = m->error;
    char place[32] = "", sqlstate[8] = "";
    if (!m->failed || !error)
        return false;
    if (*error->sqlstate)
        snprintf(sqlstate, sizeof sqlstate, "%s ", error->sqlstate);
    if (error->step)
        snprintf(place, sizeof place, " step %u", error->step);
    snprintf(text, size, "failed in %s%s: %s%s", plan_section_name(error->section), place,
             sqlstate, error->message ? error->message : "");
    return true;
}

static bool summarize_gate(const struct coordinator *c, const struct migration *m, char *text,
                           size_t size)
{
    struct gate_facts facts;
    struct hold first;
    enum gate_kind kind;
    size_t total;

    if (!migration_gate_kind(m, &kind))
        return false;
    facts_of_memory(c, m, &facts);
    size_t behind = gate_behind(&facts);
    if (behind > 0)
        snprintf(text, size,
                 kind == GATE_CONTRACT ? "%zu of %zu replicas still need a version below %lld"
                                       : "%zu of %zu replicas still need version %lld",
                 behind, fleet_size(c), (long long)m->version);
    else if (coordinator_holds(c, m, &first, 1, &total) > 0)
        snprintf(text, size, "%s", first.message);
    else
        snprintf(text, size, "%s",
                 m->phase == PHASE_UNDOING ? "is being undone"
                 : facts.kept              ? "is purged now"
                                           : "contracts now");
    return true;
}

static void summarize_verifying(const struct backfill_view *view, char *text, size_t size)
{
    char span[WORDING_SPAN_SIZE];
    int used = snprintf(text, size, "looks in one statement for rows that are left, at all of about %lld",
                        (long long)view->rows_estimate);

    if (view->verifying_ms >= 0) {
        wording_span(view->verifying_ms, span);
        snprintf(text + used, size - (size_t)used, ", for %s", span);
    }
}

static void summarize_filling(const struct backfill_view *view, char *text, size_t size)
{
    char left[WORDING_SPAN_SIZE];
    int used = snprintf(text, size, "fills %lld of about %lld rows", (long long)view->rows_done,
                        (long long)view->rows_estimate);

    if (view->pass > 1 && !view->verified)
        used += snprintf(text + used, size - (size_t)used, ", pass %lld for %lld that were left",
                         (long long)view->pass, (long long)view->rows_left);
    if (view->eta_seconds >= 0 && !view->throttled_by) {
        wording_span(view->eta_seconds * 1000, left);
        snprintf(text + used, size - (size_t)used, ", about %s left", left);
    }
}

void coordinator_slot_advice(const struct batch_slot *slot, char text[SLOT_ADVICE_SIZE])
{
    int used = snprintf(text, SLOT_ADVICE_SIZE,
                        "the replication slot %s holds back %lld MB of the server's log: ", slot->name,
                        (long long)(slot->retained_bytes >> 20));
    size_t room = SLOT_ADVICE_SIZE - (size_t)used;

    if (slot->active)
        snprintf(text + used, room, "its consumer does not keep up, look at that");
    else
        snprintf(text + used, room, "nobody reads from it; start its consumer again, or, if that is gone for "
                                    "good, SELECT pg_drop_replication_slot('%s')", slot->name);
}

static bool summarize_backfill(const struct coordinator *c, const struct migration *m, char *text,
                               size_t size)
{
    struct backfill_view view;
    char advice[SLOT_ADVICE_SIZE];
    size_t used;

    if (m->phase != PHASE_BACKFILLING || !coordinator_backfill(c, m, &view))
        return false;
    if (view.whole) {
        snprintf(text, size, "fills about %lld rows in one statement: %s", (long long)view.rows_estimate,
                 view.whole);
        return true;
    }
    (view.verifying ? summarize_verifying : summarize_filling)(&view, text, size);
    used = strlen(text);
    if (view.slot) {
        coordinator_slot_advice(view.slot, advice);
        snprintf(text + used, size - used, ", waits: %s", advice);
    } else if (view.throttled_by) {
        snprintf(text + used, size - used, ", waits because of %s", view.throttled_by);
    }
    return true;
}

static bool summarize_command(const struct coordinator *c, const struct migration *m, char *text, size_t size)
{
    const struct run *run = c->rollout.run;

    if (!run || run->version != m->version || !run->command)
        return false;
    snprintf(text, size, "%s step %u: the command of the runner %s is running",
             plan_section_name(run->section), run->steps[0].number, run->command->runner);
    return true;
}

static void summarize_phase(const struct coordinator *c, const struct migration *m, char *text,
                            size_t size)
{
    char since_text[CLOCK_RFC3339_SIZE];
    int64_t earlier = migration_earlier(m);
    const struct migration *before = earlier ? migrations_find(c, earlier) : NULL;

    if (m->phase == PHASE_QUEUED && before && before->phase == PHASE_UNDOING)
        snprintf(text, size, "waits for the undo of %lld, which waits for this one: cancel one of them",
                 (long long)earlier);
    else if (m->phase == PHASE_QUEUED && before && before->failed)
        snprintf(text, size, "waits for %lld, which has failed: `schemagate status %lld` says what to do",
                 (long long)earlier, (long long)earlier);
    else if (m->phase == PHASE_QUEUED && earlier)
        snprintf(text, size, "waits for %lld", (long long)earlier);
    else if (m->phase == PHASE_QUEUED && m->requires)
        snprintf(text, size, "waits for the contract of %lld", (long long)m->requires);
    else
        snprintf(text, size, "%s since %s", phase_name(m->phase),
                 clock_rfc3339(m->phase_since_wall, since_text));
}

/* What a restore could not put back is said wherever the migration is. */
static void add_losses(const struct migration *m, char *text, size_t size)
{
    size_t used = strlen(text), i;
    const json_t *row;

    json_array_foreach(m->hidden, i, row)
    {
        if (*record_text(row, "note") && used < size)
            used += (size_t)snprintf(text + used, size - used, "; restored, but %s.%s: %s",
                                     record_text(row, "relation"), record_text(row, "column"),
                                     record_text(row, "note"));
    }
}

void coordinator_migration_summary(const struct coordinator *c, const struct migration *m, char *text,
                                   size_t size)
{
    if (!summarize_failure(m, text, size) && !losses_summarize(c, m, text, size) &&
        !locks_summarize(m, text, size) && !summarize_command(c, m, text, size) &&
        !summarize_gate(c, m, text, size) && !summarize_backfill(c, m, text, size))
        summarize_phase(c, m, text, size);
    add_losses(m, text, size);
}

static void summarize_open(const struct coordinator *c, const struct migration *m, char *text,
                           size_t size)
{
    static const char *const nouns[] = {[GATE_CONTRACT] = "contract", [GATE_UNDO] = "undo"};
    struct gate_facts facts;
    enum gate_kind kind;
    char what[480];

    if (!m->failed && migration_gate_kind(m, &kind)) {
        facts_of_memory(c, m, &facts);
        size_t behind = gate_behind(&facts);
        if (behind > 0) {
            snprintf(text, size, "%s %lld waits for %zu of %zu replicas", nouns[kind],
                     (long long)m->version, behind, fleet_size(c));
            return;
        }
    }
    coordinator_migration_summary(c, m, what, sizeof what);
    snprintf(text, size, "%lld %s: %s", (long long)m->version, phase_name(m->phase), what);
}

void coordinator_summary(const struct coordinator *c, char *text, size_t size)
{
    static const char *const roles[] = {
        [ROLE_STARTING] = "starting: no database yet",
        [ROLE_LEADER] = "nothing is under way",
        [ROLE_CUT_OFF] = "cut off from the database: renewals are answered, gates stay closed",
        [ROLE_STANDBY] = "standby: another daemon leads",
        [ROLE_STOPPING] = "stopping",
    };
    const struct migration *shown = NULL;

    for (const struct migration *m = c->migrations; m && c->role == ROLE_LEADER;
         m = m->by_version.next)
        if (!phase_is_final(m->phase) && (!shown || (m->failed && !shown->failed)))
            shown = m;
    if (c->role == ROLE_LEADER && c->pause.paused)
        wording_who(text, size, "paused", c->pause.by, c->pause.reason);
    else if (shown)
        summarize_open(c, shown, text, size);
    else
        snprintf(text, size, "%s", roles[c->role]);
}
