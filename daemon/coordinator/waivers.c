/* Waivers: what an operator lets pass, for one migration and a limited time. The time is counted twice, by
 * the time that a daemon has led and by the wall clock; whichever ends first ends the waiver, so that
 * neither a gap nor a step of a clock lengthens it. */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* Elapsed time is stored so often: a restart gives back at most so much. */
#define STORE_EVERY_MS 60000

static void free_one(struct waiver *w)
{
    free(w->subject);
    free(w->reason);
    free(w->actor);
}

void waivers_free(struct migration *m)
{
    for (size_t i = 0; i < m->waiver_count; i++)
        free_one(&m->waivers[i]);
    free(m->waivers);
    free(m->passes);
}

/* What the gate is told. */
static void refresh(struct migration *m)
{
    m->passes = memory_grow(m->passes, m->waiver_count + 1, sizeof *m->passes);
    for (size_t i = 0; i < m->waiver_count; i++)
        m->passes[i] = (struct gate_waiver){m->waivers[i].code, m->waivers[i].subject};
}

static void drop(struct migration *m, size_t at)
{
    free_one(&m->waivers[at]);
    m->waivers[at] = m->waivers[--m->waiver_count];
    refresh(m);
}

/* Takes the place of one for the same subject. */
static void put(struct migration *m, const struct waiver *w)
{
    for (size_t i = 0; i < m->waiver_count; i++) {
        if (m->waivers[i].code == w->code && strcmp(m->waivers[i].subject, w->subject) == 0) {
            drop(m, i);
            break;
        }
    }
    m->waivers = memory_grow(m->waivers, m->waiver_count + 1, sizeof *m->waivers);
    m->waivers[m->waiver_count++] = *w;
    refresh(m);
}

static int64_t elapsed_ms(const struct waiver *w, int64_t now)
{
    return w->stored_ms + now - w->since_boot;
}

void waivers_read(struct migration *m, const json_t *row, struct instant now)
{
    int64_t for_ms = record_number(row, "for_seconds") * 1000;
    struct waiver w = {
        .version = m->version,
        .given_wall = record_time(row, "given_at"),
        .for_seconds = for_ms / 1000,
        .stored_ms = record_number(row, "elapsed_ms"),
        .since_boot = now.boot_ms,
    };
    int64_t by_wall = w.given_wall + for_ms - now.wall_ms, left = for_ms - w.stored_ms;

    if (by_wall < left)
        left = by_wall;
    if (left <= 0 || !gate_code_parse(record_text(row, "code"), &w.code))
        return;
    w.until_boot = now.boot_ms + left;
    w.subject = memory_copy(record_text(row, "subject"));
    w.reason = memory_copy(record_text(row, "reason"));
    w.actor = memory_copy(record_text(row, "actor"));
    put(m, &w);
}

static json_t *row_of(const struct waiver *w, int64_t elapsed)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:I, s:I}", "version", (json_int_t)w->version,
                     "code", gate_code_name(w->code), "subject", w->subject, "reason", w->reason,
                     "actor", w->actor, "given_at", record_time_value(w->given_wall), "for_seconds",
                     (json_int_t)w->for_seconds, "elapsed_ms", (json_int_t)elapsed);
}

/* ---- giving one ---- */

struct waive_intent {
    struct intent intent;
    int64_t version, for_seconds;
    enum gate_code code;
    char **subjects;
    size_t subject_count;
    char *reason, *actor;
};

static void waive_release(struct intent *intent)
{
    struct waive_intent *a = (struct waive_intent *)intent;
    for (size_t i = 0; i < a->subject_count; i++)
        free(a->subjects[i]);
    free(a->subjects);
    free(a->reason);
    free(a->actor);
}

static struct waiver waiver_of(const struct coordinator *c, const struct waive_intent *a,
                               const char *subject)
{
    struct instant now = coordinator_now(c);
    return (struct waiver){
        .version = a->version,
        .code = a->code,
        .subject = memory_copy(subject),
        .reason = memory_copy(a->reason),
        .actor = memory_copy(a->actor),
        .given_wall = now.wall_ms,
        .for_seconds = a->for_seconds,
        .since_boot = now.boot_ms,
        .until_boot = now.boot_ms + a->for_seconds * 1000,
    };
}

static bool refuse(const struct waive_intent *a, const char *pointer, const char *why)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s cannot be waived%s", gate_code_name(a->code), why);
    intent_answer(&a->intent, &(struct outcome){
                                  .problem = PROBLEM_INVALID, .pointer = pointer, .detail = detail});
    return false;
}

static bool names_primary(const struct waive_intent *a)
{
    for (size_t i = 0; i < a->subject_count; i++)
        if (strcmp(a->subjects[i], GATE_PRIMARY) == 0)
            return true;
    return false;
}

static void write_event(const struct waive_intent *a, struct change_set *changes)
{
    json_t *subjects = json_array();
    for (size_t i = 0; i < a->subject_count; i++)
        json_array_append_new(subjects, json_string(a->subjects[i]));
    changes_event(changes, &(struct change_event){
                               .kind = "operator.waive",
                               .version = a->version,
                               .actor = a->actor,
                               .reason = a->reason,
                               .data = json_pack("{s:s, s:o, s:I}", "code", gate_code_name(a->code),
                                                 "subjects", subjects, "for_seconds",
                                                 (json_int_t)a->for_seconds)});
}

static bool waive_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct waive_intent *a = (const struct waive_intent *)intent;
    const struct migration *m = migrations_find(c, a->version);

    if (!m)
        return intent_refuse(intent, PROBLEM_UNKNOWN_MIGRATION,
                             "no migration has version %lld: `schemagate status` lists them",
                             (long long)a->version);
    if (phase_is_final(m->phase))
        return intent_refuse(intent, PROBLEM_INVALID_TRANSITION,
                             "migration %lld is %s: nothing holds it any more", (long long)m->version,
                             phase_name(m->phase));
    if (!gate_code_is_waivable(a->code))
        return refuse(a, "/code",
                      ": a replica can be evicted, a session terminated, the rest settles itself");
    if (a->code == HOLD_SETTLING && c->settle_until_boot)
        return refuse(a, "/code", " after a failover: registrations may have been lost with it");
    if (a->code == HOLD_SOAKING && migration_is_kept(m))
        return refuse(a, "/code", " while it can be restored: the purge waits until that time is over");
    if (a->code == HOLD_STANDBY_UNKNOWN && names_primary(a))
        return refuse(a, "/subjects", " for the primary: while it cannot be looked at, nothing is known; "
                                      "the hold goes by itself once the daemon sees its sessions again");
    for (size_t i = 0; i < a->subject_count; i++) {
        struct waiver w = waiver_of(c, a, a->subjects[i]);
        changes_row(changes, "waivers", row_of(&w, 0));
        free_one(&w);
    }
    write_event(a, changes);
    return true;
}

static void waive_apply(struct coordinator *c, struct intent *intent)
{
    const struct waive_intent *a = (const struct waive_intent *)intent;
    struct migration *m = migrations_find(c, a->version);

    for (size_t i = 0; i < a->subject_count; i++) {
        struct waiver w = waiver_of(c, a, a->subjects[i]);
        put(m, &w);
    }
    intent_answer(intent, &(struct outcome){.migration = m});
}

static const struct intent_kind waive_kind = {
    .exclusive = true, .decide = waive_decide, .apply = waive_apply, .release = waive_release};

void coordinator_waive(struct coordinator *c, const struct waiver_request *request,
                       coordinator_answer *answer, void *context)
{
    struct waive_intent *a = memory_new(sizeof *a);
    bool all = request->subject_count == 0;

    a->intent = (struct intent){.kind = &waive_kind, .answer = answer, .context = context};
    a->version = request->version;
    a->code = request->code;
    a->for_seconds = request->for_seconds;
    a->reason = memory_copy(request->reason);
    a->actor = memory_copy(request->actor);
    a->subject_count = all ? 1 : request->subject_count;
    a->subjects = memory_new(a->subject_count * sizeof *a->subjects);
    for (size_t i = 0; i < a->subject_count; i++)
        a->subjects[i] = memory_copy(all ? "" : request->subjects[i]);
    journal_add(c, &a->intent);
}

/* ---- whether there is something to waive ---- */

struct waivable {
    const struct gate_facts *facts;
    bool any;
};

static void found(void *context, const struct gate_hold *hold)
{
    struct waivable *waivable = context;
    waivable->any |= gate_hold_is_waivable(waivable->facts, hold);
}

bool coordinator_may_waive(const struct coordinator *c, const struct migration *m)
{
    struct gate_facts facts;
    struct waivable waivable = {.facts = &facts};
    enum gate_kind kind;

    if (!migration_gate_kind(m, &kind))
        return false;
    facts_of_memory(c, m, &facts);
    gate_evaluate(&facts, found, &waivable);
    return waivable.any;
}

/* ---- while they count ---- */

struct elapsed_intent {
    struct intent intent;
    int64_t version;
};

static bool elapsed_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct migration *m = migrations_find(c, ((const struct elapsed_intent *)intent)->version);
    int64_t now = coordinator_now(c).boot_ms;

    for (size_t i = 0; m && i < m->waiver_count; i++)
        changes_row(changes, "waivers", row_of(&m->waivers[i], elapsed_ms(&m->waivers[i], now)));
    return m && m->waiver_count > 0;
}

static void elapsed_apply(struct coordinator *c, struct intent *intent)
{
    (void)c;
    (void)intent;
}

static const struct intent_kind elapsed_kind = {
    .exclusive = true, .decide = elapsed_decide, .apply = elapsed_apply};

void waivers_follow(struct coordinator *c, struct migration *m)
{
    if (m->waiver_count == 0)
        return;
    int64_t now = coordinator_now(c).boot_ms;

    for (size_t i = m->waiver_count; i-- > 0;) {
        if (m->waivers[i].until_boot > now && !phase_is_final(m->phase))
            continue;
        drop(m, i);
        coordinator_changed(c);
    }
    if (m->waiver_count == 0 || now < m->waivers_stored_boot + STORE_EVERY_MS)
        return;
    if (m->waivers_stored_boot) {
        struct elapsed_intent *e = memory_new(sizeof *e);
        e->intent.kind = &elapsed_kind;
        e->version = m->version;
        journal_add(c, &e->intent);
    }
    m->waivers_stored_boot = now;
}

int64_t waivers_due_boot(const struct migration *m)
{
    int64_t due = m->waiver_count ? m->waivers_stored_boot + STORE_EVERY_MS : 0;
    for (size_t i = 0; i < m->waiver_count; i++)
        if (m->waivers[i].until_boot < due)
            due = m->waivers[i].until_boot;
    return due;
}

const struct waiver *coordinator_waiver(const struct coordinator *c, int64_t version, size_t index)
{
    const struct migration *m = migrations_find(c, version);
    return m && index < m->waiver_count ? &m->waivers[index] : NULL;
}
