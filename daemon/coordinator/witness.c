/* The witness's rhythm, and lost replicas' fate. */
#include "witness.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>

#define QUIET_MS 60000     /* between looks while nothing waits at a gate */
#define FIRST_PAUSE_MS 100 /* while only sessions hold: doubling, up to the configured interval */
#define SPACING_MS 20      /* never closer together than this, unless somebody waits for one */
#define FRESH_MS 2000      /* a look so young tells who is there now */
#define GAP_MS 150000      /* so much between two looks, and absence has to begin anew */

struct look {
    struct coordinator *c;
    unsigned term;
    struct instant asked;
    struct look_waiters waiters;
};

void witness_init(struct watch *watch)
{
    STAILQ_INIT(&watch->waiters);
}

static void tell(struct look_waiters *waiters, bool ok)
{
    struct look_waiter *waiter;
    while ((waiter = STAILQ_FIRST(waiters))) {
        STAILQ_REMOVE_HEAD(waiters, link);
        waiter->done(waiter->context, ok);
        free(waiter);
    }
}

static void forget_sight(struct watch *watch)
{
    sight_free(watch->sight);
    watch->sight = NULL;
}

void witness_free(struct watch *watch)
{
    forget_sight(watch);
}

void witness_reset(struct coordinator *c)
{
    struct watch *watch = &c->watch;
    struct look_waiters waiters = STAILQ_HEAD_INITIALIZER(waiters);

    STAILQ_CONCAT(&waiters, &watch->waiters);
    forget_sight(watch);
    watch->wanted = watch->urgent = watch->blind = false;
    watch->asked_boot = watch->pause_ms = watch->complete_since_boot = 0;
    tell(&waiters, false);
}

/* ---- looking ---- */

static void begin_look(struct coordinator *c);

/* Absence counts from the first of an unbroken row of looks that saw all there is. */
static void note_completeness(struct watch *watch, const struct sight *sight)
{
    bool broken = !watch->sight || sight->at_boot - watch->sight->at_boot > GAP_MS;
    if (!sight->complete)
        watch->complete_since_boot = 0;
    else if (watch->complete_since_boot == 0 || broken)
        watch->complete_since_boot = sight->at_boot;
}

static void take_in(struct coordinator *c, const json_t *rows, struct instant asked)
{
    struct watch *watch = &c->watch;
    struct sight *sight = sight_read(rows, asked);

    note_completeness(watch, sight);
    sight_witness(sight, &c->registry);
    sight_match(sight, c->config, &c->registry);
    roles_store(c);
    sight->answered_boot = coordinator_now(c).boot_ms;
    sight_free(watch->sight);
    watch->sight = sight;
    watch->blind = false;
}

static void looked(void *context, const json_t *rows)
{
    struct look *look = context;
    struct coordinator *c = look->c;
    bool current = look->term == c->rollout.term, ok = current && rows;

    c->watch.looking = false;
    if (ok)
        take_in(c, rows, look->asked);
    else if (current)
        c->watch.blind = true;
    tell(&look->waiters, ok);
    free(look);
    if (!STAILQ_EMPTY(&c->watch.waiters) && term_goes_on(c))
        begin_look(c);
    else if (!STAILQ_EMPTY(&c->watch.waiters))
        tell(&c->watch.waiters, false);
    coordinator_changed(c);
    rollout_advance(c);
}

static int64_t interval_ms(const struct coordinator *c)
{
    int64_t seconds = c->config->gate.witness_interval_seconds;
    return (seconds > 0 ? seconds : 1) * 1000;
}

static void note_pause(struct coordinator *c)
{
    struct watch *watch = &c->watch;
    bool news = watch->asked_changes != c->registry.changes;
    int64_t pause = news || watch->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * watch->pause_ms;
    watch->pause_ms = pause < interval_ms(c) ? pause : interval_ms(c);
    watch->asked_changes = c->registry.changes;
}

static void begin_look(struct coordinator *c)
{
    struct watch *watch = &c->watch;
    struct look *look = memory_new(sizeof *look);

    *look = (struct look){.c = c, .term = c->rollout.term, .asked = coordinator_now(c)};
    STAILQ_INIT(&look->waiters);
    STAILQ_CONCAT(&look->waiters, &watch->waiters);
    note_pause(c);
    watch->looking = true;
    watch->wanted = false;
    watch->asked_boot = look->asked.boot_ms;
    c->env.witness_ops->look(c->env.witness, looked, look);
}

void witness_look(struct coordinator *c, void (*done)(void *context, bool ok), void *context)
{
    struct look_waiter *waiter = memory_new(sizeof *waiter);
    *waiter = (struct look_waiter){.done = done, .context = context};
    STAILQ_INSERT_TAIL(&c->watch.waiters, waiter, link);
    if (!c->watch.looking)
        begin_look(c);
}

/* ---- when ---- */

static bool something_waits(const struct coordinator *c)
{
    enum gate_kind kind;
    for (const struct migration *m = c->migrations; m; m = m->by_version.next)
        if (!phase_is_final(m->phase) && !m->failed
            && (migration_gate_kind(m, &kind) || m->phase == PHASE_BACKFILLING))
            return true; /* a backfill yields to standbys that only the witness knows */
    return false;
}

static int64_t pause_now(const struct coordinator *c)
{
    const struct watch *watch = &c->watch;
    bool news = watch->asked_changes != c->registry.changes;

    if (watch->wanted || (watch->urgent && news))
        return SPACING_MS;
    if (watch->urgent)
        return watch->pause_ms;
    return something_waits(c) ? interval_ms(c) : QUIET_MS;
}

int64_t witness_due_boot(const struct coordinator *c)
{
    if (!term_goes_on(c) || c->watch.looking)
        return 0;
    return c->watch.asked_boot ? c->watch.asked_boot + pause_now(c) : coordinator_now(c).boot_ms;
}

void witness_advance(struct coordinator *c)
{
    int64_t due = witness_due_boot(c);
    if (due && due <= coordinator_now(c).boot_ms)
        begin_look(c);
}

/* ---- what was seen ---- */

/* A cache: who belongs to whom follows from the registry alone. */
const struct sight *witness_sight(const struct coordinator *c)
{
    struct sight *sight = c->watch.sight;
    if (sight && sight->registry_changes != c->registry.changes)
        sight_match(sight, c->config, &c->registry);
    return sight;
}

const struct sight *coordinator_sight(const struct coordinator *c)
{
    return witness_sight(c);
}

bool witness_sees(const struct coordinator *c, const struct replica *r)
{
    return c->watch.sight && registry_seen_boot(&c->registry, r) == c->watch.sight->at_boot;
}

/* ---- the fate of lost replicas ---- */

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* So long absence must last where its roles may not log in: a login that was let through just before is not
 * shown until it is complete, and PostgreSQL waits for nobody between the two. */
#define BARRED_MS 10000

/* When its sessions will have been absent for long enough, and why that is evidence; 0: it is none. */
struct absence {
    int64_t at_boot;
    const char *because;
};

static void weigh(struct absence *absence, int64_t at_boot, const char *because)
{
    if (absence->at_boot == 0 || at_boot < absence->at_boot)
        *absence = (struct absence){at_boot, because};
}

/* It could not come back unnoticed: its own sessions had pins, and whoever connects with its roles has
 * one. */
static bool is_pinned(const struct coordinator *c, const struct replica *r)
{
    return r->pins && r->roles && c->watch.sight && !(r->roles & c->watch.sight->unpinned_roles);
}

bool witness_has_seen(const struct replica *r)
{
    return r->witnessed;
}

/* No absence from before this counts. */
static int64_t absent_since(const struct coordinator *c, const struct replica *r)
{
    int64_t since = later_of(r->lost_boot, registry_seen_boot(&c->registry, r));
    return later_of(since, c->watch.complete_since_boot);
}

/* Between the last look that shows it and the first that does not it may have been there all the time: what
 * is trusted counts from the latter's answer. */
static void note_absence(struct coordinator *c, struct replica *r)
{
    const struct sight *sight = c->watch.sight;
    int64_t since = absent_since(c, r);

    if (!witness_has_seen(r) || c->watch.complete_since_boot == 0 || witness_sees(c, r) ||
        r->absent_boot > since)
        return;
    if (sight && sight->at_boot >= since)
        r->absent_boot = sight->answered_boot;
    else
        c->watch.wanted = true;
}

/* docs/design.md §3, rules 5 and 6. */
static struct absence absence_of(const struct coordinator *c, const struct replica *r)
{
    int64_t trust_ms = c->config->gate.trust_absence_seconds * 1000,
            barred = roles_barred_since(&c->registry, r), since = absent_since(c, r);
    struct absence absence = {0};

    if (!witness_has_seen(r) || c->watch.complete_since_boot == 0)
        return absence;
    if (trust_ms > 0 && r->absent_boot > since)
        weigh(&absence, r->absent_boot + trust_ms, "absence is trusted");
    if (barred)
        weigh(&absence, later_of(since, barred) + BARRED_MS, "its role may not log in");
    if (is_pinned(c, r))
        weigh(&absence, since, "its role's sessions are pinned");
    return absence;
}

static int64_t assumed_at(const struct coordinator *c, const struct replica *r)
{
    int64_t seconds = c->config->gate.assume_gone_after_seconds;
    return seconds > 0 ? r->lost_boot + seconds * 1000 : 0;
}

static void earlier_of(int64_t *at, int64_t candidate)
{
    if (candidate > 0 && (*at == 0 || candidate < *at))
        *at = candidate;
}

struct judgement witness_judge(struct coordinator *c, struct replica *r)
{
    const struct sight *sight = c->watch.sight;
    if (c->config->gate.trust_absence_seconds > 0)
        note_absence(c, r);
    const struct absence absence = absence_of(c, r);
    int64_t now = coordinator_now(c).boot_ms, fenced = fencing_ends_boot(c, r), assumed = assumed_at(c, r);
    struct judgement judgement = {.verdict = WITNESS_WAIT};

    earlier_of(&judgement.again_boot, fenced);
    earlier_of(&judgement.again_boot, absence.at_boot);
    earlier_of(&judgement.again_boot, assumed);
    bool counts = c->config->gate.trust_absence_seconds > 0 && r->absent_boot <= absent_since(c, r);
    if (witness_has_seen(r) && (absence.at_boot == 0 || counts))
        earlier_of(&judgement.again_boot, now + interval_ms(c)); /* what is seen next may be evidence */
    if (judgement.again_boot == 0 || judgement.again_boot > now)
        return judgement;
    bool due = absence.at_boot && absence.at_boot <= now;
    if (!sight || now - sight->at_boot > FRESH_MS || (fenced <= now && sight->at_boot < fenced) ||
        (due && sight->at_boot < absence.at_boot)) {
        c->watch.wanted = true;
        judgement.again_boot = now + (c->role == ROLE_LEADER ? FRESH_MS / 2 : interval_ms(c));
        return judgement;
    }
    judgement.again_boot = now + interval_ms(c);
    if (witness_sees(c, r)) /* a veto */
        return judgement;
    if (fenced && fenced <= now && sight->complete)
        return (struct judgement){.verdict = WITNESS_FENCED};
    if (absence.at_boot && absence.at_boot <= sight->at_boot)
        return (struct judgement){.verdict = WITNESS_UNSEEN, .because = absence.because};
    if (assumed && assumed <= now)
        return (struct judgement){.verdict = WITNESS_ASSUMED};
    return judgement;
}
