/* Holds and summaries in words: for /status, the page and the command line alike. */
#include "locks.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/clock.h>

#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* ---- one message a code ---- */

struct wording {
    const struct coordinator *c;
    const struct migration *m;
    const struct gate_facts *facts;
    const struct gate_hold *hold;
    const struct replica *replica; /* NULL for holds without one */
    char *text;
    size_t size;
};

static void span_text(int64_t ms, char text[32])
{
    int64_t seconds = ms / 1000;
    if (seconds < 60)
        snprintf(text, 32, "%llds", (long long)(seconds < 0 ? 0 : seconds));
    else if (seconds < 3600)
        snprintf(text, 32, "%lldm%02llds", (long long)(seconds / 60), (long long)(seconds % 60));
    else
        snprintf(text, 32, "%lldh%02lldm", (long long)(seconds / 3600),
                 (long long)(seconds / 60 % 60));
}

static void say_incompatible(const struct wording *w)
{
    const struct gate_cohort *cohort = w->hold->cohort;
    bool lists = cohort->range.max >= w->m->version && w->facts->kind == GATE_CONTRACT;
    snprintf(w->text, w->size,
             lists ? "%s/%s supports %lld..%lld, but lists its migrations without this %lld"
             : w->facts->kind == GATE_CONTRACT
                 ? "%s/%s supports %lld..%lld; this contract needs %lld"
                 : "%s/%s supports %lld..%lld; this undo ends the service of %lld",
             w->hold->app->name, w->replica->instance, (long long)cohort->range.min,
             (long long)cohort->range.max, (long long)w->m->version);
}

/* What the witness knows of a lost replica: advice, or a veto. */
static void add_advice(const struct wording *w)
{
    const struct replica *r = w->replica;
    const struct sight *sight = witness_sight(w->c);
    size_t used = strlen(w->text);
    int64_t ends = fencing_ends_boot(w->c, r), left = ends - coordinator_now(w->c).boot_ms;
    char span[32];

    if (!sight || used >= w->size)
        return;
    span_text(left + 999, span);
    if (witness_sees(w->c, r))
        snprintf(w->text + used, w->size - used, "; a session that may be its own is still there");
    else if (ends && left > 0)
        snprintf(w->text + used, w->size - used, "; it ends with its lease, and counts as gone in %s", span);
    else if (ends && !sight->complete)
        snprintf(w->text + used, w->size - used,
                 "; it ends with its lease, but not all sessions and standbys can be looked at");
    else if (r->witnessed && sight->complete)
        snprintf(w->text + used, w->size - used,
                 "; none of its sessions is there any more: if it has ended, schemagate evict %s/%s "
                 "--reason …",
                 w->hold->app->name, r->instance);
}

static void say_lost(const struct wording *w)
{
    const struct version_range range = w->hold->cohort->range;
    char silence[32] = "";
    span_text(coordinator_now(w->c).boot_ms - w->replica->renewed_boot, silence);
    snprintf(w->text, w->size,
             w->replica->superseded
                 ? "%s/%s (%lld..%lld) was superseded; nobody knows whether the older incarnation still "
                   "runs"
             : w->replica->renewed_boot
                 ? "%s/%s (%lld..%lld) was last heard of %s ago; nobody knows whether it still runs"
                 : "%s/%s (%lld..%lld) is lost; nobody knows whether it still runs",
             w->hold->app->name, w->replica->instance, (long long)range.min, (long long)range.max,
             silence);
    add_advice(w);
}

static void say_session(const struct wording *w)
{
    static const char *const troubles[HOLD_CODES] = {
        [HOLD_SESSION_BEHIND] = "is pinned to versions that this contract ends",
        [HOLD_SESSION_AHEAD] = "is pinned to versions that this undo ends",
        [HOLD_SESSION_UNPINNED] = "has no pin, and pins are required",
        [HOLD_SESSION_STRAY] = "belongs to no known replica",
    };
    const struct witnessed_session *session = w->hold->session->subject;
    const struct version_range range = w->hold->session->range;
    char others[40] = "", pin[64] = "", from[80] = "";

    if (w->hold->count > 1)
        snprintf(others, sizeof others, " and %zu more like it", w->hold->count - 1);
    if (session->pinned)
        snprintf(pin, sizeof pin, " (%lld..%lld)", (long long)range.min, (long long)range.max);
    if (*session->address)
        snprintf(from, sizeof from, " from %s", session->address);
    snprintf(w->text, w->size, "session %d of %s%s%s%s%s%s %s%s", session->pid, session->name, from,
             session->standby ? " on standby " : "", session->standby ? session->standby : "", others,
             pin, troubles[w->hold->code],
             w->facts->sees_sessions ? "" : "; addresses are not visible to the daemon: GRANT "
                                            "pg_read_all_stats to its role");
}

static void say_standby(const struct wording *w)
{
    const struct sight *sight = witness_sight(w->c);
    const char *why = "its sessions cannot be read";

    for (size_t i = 0; sight && i < sight->standby_count; i++)
        if (&sight->standbys[i] == w->hold->standby && *sight->standby_errors[i])
            why = sight->standby_errors[i];
    snprintf(w->text, w->size, "%s cannot be looked at: %s", w->hold->standby->name, why);
}

static void say_desired(const struct wording *w)
{
    const struct gate_app *app = w->hold->app;
    snprintf(w->text, w->size, "%s is meant to run %lld..%lld; this contract needs %lld", app->name,
             (long long)app->desired.min, (long long)app->desired.max, (long long)w->m->version);
}

static void say_fleet(const struct wording *w)
{
    const struct gate_app *app = w->hold->app;
    if (app)
        snprintf(w->text, w->size, "%s has %zu of at least %lld live replicas", app->name, app->live,
                 (long long)app->min_replicas);
    else
        snprintf(w->text, w->size, "no replica of any application has ever registered");
}

static void say_version(const struct wording *w)
{
    const struct migration *other = migrations_find(w->c, w->hold->version);
    snprintf(w->text, w->size, "waits for %lld (%s)", (long long)w->hold->version,
             other ? phase_name(other->phase) : "unknown");
}

static void say_settling(const struct wording *w)
{
    char left[32];

    if (w->c->settle_until_boot) {
        span_text(w->c->settle_until_boot - coordinator_now(w->c).boot_ms + 999, left);
        snprintf(w->text, w->size, "after a failover replicas that the new server may not know of have "
                 "another %s to register again", left);
        return;
    }
    snprintf(w->text, w->size, "%zu replicas have not renewed since this daemon began to lead",
             w->facts->settling);
}

static void say_who(char *text, size_t size, const char *what, const char *by, const char *reason)
{
    bool told = reason && *reason;
    snprintf(text, size, "%s by %s%s%s", what, by ? by : "an operator", told ? ": " : "",
             told ? reason : "");
}

static void say_paused(const struct wording *w)
{
    const char *by = w->m->paused ? w->m->paused_by : w->c->pause.by;
    const char *reason = w->m->paused ? w->m->paused_reason : w->c->pause.reason;
    say_who(w->text, w->size, w->m->paused ? "paused" : "the daemon is paused", by, reason);
}

static void say_approval(const struct wording *w)
{
    snprintf(w->text, w->size, "nobody has approved it: schemagate approve %lld",
             (long long)w->m->version);
}

static void say_soaking(const struct wording *w)
{
    char left[32];
    span_text(w->facts->soak_ms - w->facts->soak_elapsed_ms + 999, left);
    if (w->facts->kept)
        snprintf(w->text, w->size, "can be restored for %s, then it is purged", left);
    else
        snprintf(w->text, w->size, "soaks for another %s, so that the code can be rolled back", left);
}

static void say_hours(const struct wording *w)
{
    const struct config_list *hours = &w->c->config->gate.contract_hours;
    size_t used = (size_t)snprintf(w->text, w->size, "contracts run only in");
    for (size_t i = 0; i < hours->count && used < w->size; i++)
        used += (size_t)snprintf(w->text + used, w->size - used, "%s %s", i ? "," : "",
                                 hours->items[i]);
}

static void say_unhealthy(const struct wording *w)
{
    snprintf(w->text, w->size, "replicas at %lld and above report %.1f%% errors; %.0f%% are allowed",
             (long long)w->m->version, gate_error_percent(w->facts), w->facts->max_error_percent);
}

static void say_in_use(const struct wording *w)
{
    static const char *const uses[PLAN_USES] = {
        [USE_NONE] = "",
        [USE_UNREAD] = "cannot be read, and contains the name of",
        [USE_WHOLE] = "takes every column of the table that loses",
        [USE_NAMED] = "names",
    };
    const struct used_statement *statement = w->hold->statement->subject;
    const struct plan_drop *drop = statement->drop;

    snprintf(w->text, w->size,
             "since the fleet moved %s has called a statement %lld times that %s %s%s%s: %s", statement->role,
             (long long)statement->calls, uses[statement->use], drop->table, drop->column ? "." : "",
             drop->column ? drop->column : "", statement->text);
}

static void say_lag(const struct wording *w)
{
    snprintf(w->text, w->size, "a standby lags by %.1f s; %.0f s are allowed", w->facts->lag_seconds,
             w->facts->max_lag_seconds);
}

static void (*const sayings[HOLD_CODES])(const struct wording *w) = {
    [HOLD_REPLICA_LOST] = say_lost,
    [HOLD_REPLICA_BEHIND] = say_incompatible,
    [HOLD_REPLICA_AHEAD] = say_incompatible,
    [HOLD_SESSION_BEHIND] = say_session,
    [HOLD_SESSION_AHEAD] = say_session,
    [HOLD_SESSION_UNPINNED] = say_session,
    [HOLD_SESSION_STRAY] = say_session,
    [HOLD_STANDBY_UNKNOWN] = say_standby,
    [HOLD_DESIRED_BEHIND] = say_desired,
    [HOLD_FLEET_MISSING] = say_fleet,
    [HOLD_EARLIER_MIGRATION] = say_version,
    [HOLD_LATER_MIGRATION] = say_version,
    [HOLD_SETTLING] = say_settling,
    [HOLD_PAUSED] = say_paused,
    [HOLD_AWAITING_APPROVAL] = say_approval,
    [HOLD_OUTSIDE_HOURS] = say_hours,
    [HOLD_UNHEALTHY] = say_unhealthy,
    [HOLD_IN_USE] = say_in_use,
    [HOLD_REPLICATION_LAG] = say_lag,
    [HOLD_SOAKING] = say_soaking,
};

/* ---- the list ---- */

struct listing {
    struct wording wording;
    struct hold *holds;
    size_t size, count;
};

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t since(const struct wording *w)
{
    const struct migration *m = w->m;
    if (w->replica)
        return later_of(w->replica->state_since_wall, m->phase_since_wall);
    if (w->hold->session)
        return later_of(((const struct witnessed_session *)w->hold->session->subject)->started_wall,
                        m->phase_since_wall);
    if (w->hold->code == HOLD_PAUSED)
        return m->paused ? m->paused_since_wall : w->c->pause.since_wall;
    if (w->hold->code == HOLD_SETTLING)
        return w->c->term.since_wall;
    return m->phase_since_wall;
}

static void list_one(struct listing *list, const struct gate_hold *hold, const struct replica *replica)
{
    if (list->count == list->size)
        return;
    struct hold *shown = &list->holds[list->count++];
    struct wording *w = &list->wording;

    w->hold = hold;
    w->replica = replica;
    w->text = shown->message;
    w->size = sizeof shown->message;
    *shown = (struct hold){
        .code = hold->code,
        .app = hold->app ? hold->app->name : NULL,
        .replica = replica,
        .session = hold->session ? hold->session->subject : NULL,
        .standby = hold->standby ? hold->standby->name : NULL,
        .statement = hold->statement ? hold->statement->subject : NULL,
        .count = hold->count,
        .version = hold->version,
        .since_wall = since(w),
    };
    sayings[hold->code](w);
}

static void found(void *context, const struct gate_hold *hold)
{
    struct listing *list = context;
    enum replica_state state = hold->code == HOLD_REPLICA_LOST ? REPLICA_LOST : REPLICA_LIVE;
    const struct replica *r;

    if (!hold->cohort) {
        list_one(list, hold, NULL);
        return;
    }
    DL_FOREACH2(((const struct cohort *)hold->cohort)->members, r, cohort_next)
    {
        if (list->count == list->size)
            return;
        if (r->state == state)
            list_one(list, hold, r);
    }
}

size_t coordinator_holds(const struct coordinator *c, const struct migration *m, struct hold *holds,
                         size_t size, size_t *total)
{
    struct gate_facts facts;
    enum gate_kind kind;
    struct listing list = {
        .wording = {.c = c, .m = m, .facts = &facts}, .holds = holds, .size = size};

    *total = 0;
    if (!migration_gate_kind(m, &kind))
        return 0;
    facts_of_memory(c, m, &facts);
    *total = gate_evaluate(&facts, found, &list);
    return list.count;
}

bool replica_is_behind(const struct coordinator *c, const struct replica *r, int64_t version)
{
    const struct migration *m = migrations_find(c, version);
    struct gate_facts facts = {
        .kind = GATE_CONTRACT, .version = version, .checksum = m ? m->checksum : ""};
    return gate_cohort_holds(&facts, &r->cohort->gate);
}

/* ---- summaries ---- */

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
    char place[32] = "";
    if (!m->failed || !error)
        return false;
    if (error->step)
        snprintf(place, sizeof place, " step %u", error->step);
    snprintf(text, size, "failed in %s%s: %s %s", plan_section_name(error->section), place,
             error->sqlstate, error->message ? error->message : "");
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

static bool summarize_backfill(const struct migration *m, char *text, size_t size)
{
    struct backfill_view view;
    char left[32];
    int used;

    if (m->phase != PHASE_BACKFILLING || !coordinator_backfill(m, &view))
        return false;
    used = snprintf(text, size, "%s %lld of about %lld rows", view.verifying ? "verifies" : "fills",
                    (long long)view.rows_done, (long long)view.rows_estimate);
    if (view.throttled_by)
        snprintf(text + used, size - (size_t)used, ", waits because of %s", view.throttled_by);
    else if (view.eta_seconds >= 0) {
        span_text(view.eta_seconds * 1000, left);
        snprintf(text + used, size - (size_t)used, ", about %s left", left);
    }
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
    if (!summarize_failure(m, text, size) && !locks_summarize(m, text, size) &&
        !summarize_gate(c, m, text, size) && !summarize_backfill(m, text, size))
        summarize_phase(c, m, text, size);
    add_losses(m, text, size);
}

static void summarize_open(const struct coordinator *c, const struct migration *m, char *text,
                           size_t size)
{
    static const char *const nouns[] = {[GATE_CONTRACT] = "contract", [GATE_UNDO] = "undo"};
    struct gate_facts facts;
    enum gate_kind kind;
    char what[256];

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
        say_who(text, size, "paused", c->pause.by, c->pause.reason);
    else if (shown)
        summarize_open(c, shown, text, size);
    else
        snprintf(text, size, "%s", roles[c->role]);
}
