/* Holds in words: one message a code. */
#include "wording.h"

#include <stdio.h>
#include <string.h>

void wording_span(int64_t ms, char text[WORDING_SPAN_SIZE])
{
    int64_t seconds = ms / 1000;
    if (seconds < 60)
        snprintf(text, WORDING_SPAN_SIZE, "%llds", (long long)(seconds < 0 ? 0 : seconds));
    else if (seconds < 3600)
        snprintf(text, WORDING_SPAN_SIZE, "%lldm%02llds", (long long)(seconds / 60),
                 (long long)(seconds % 60));
    else
        snprintf(text, WORDING_SPAN_SIZE, "%lldh%02lldm", (long long)(seconds / 3600),
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
    char span[WORDING_SPAN_SIZE];

    if (!sight || used >= w->size)
        return;
    wording_span(left + 999, span);
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
    char silence[WORDING_SPAN_SIZE] = "";
    wording_span(coordinator_now(w->c).boot_ms - w->replica->renewed_boot, silence);
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
        snprintf(w->text, w->size, w->c->registry.apps ? "every application has been retired"
                                                       : "no replica of any application has ever registered");
}

static void say_version(const struct wording *w)
{
    const struct migration *other = migrations_find(w->c, w->hold->version);
    snprintf(w->text, w->size, "waits for %lld (%s)", (long long)w->hold->version,
             other ? phase_name(other->phase) : "unknown");
}

static void say_settling(const struct wording *w)
{
    char left[WORDING_SPAN_SIZE];

    if (w->c->settle_until_boot) {
        wording_span(w->c->settle_until_boot - coordinator_now(w->c).boot_ms + 999, left);
        snprintf(w->text, w->size, "after a failover replicas that the new server may not know of have "
                 "another %s to register again", left);
        return;
    }
    snprintf(w->text, w->size, "%zu replicas have not renewed since this daemon began to lead",
             w->facts->settling);
}

void wording_who(char *text, size_t size, const char *what, const char *by, const char *reason)
{
    bool told = reason && *reason;
    snprintf(text, size, "%s by %s%s%s", what, by ? by : "an operator", told ? ": " : "",
             told ? reason : "");
}

static void say_paused(const struct wording *w)
{
    const char *by = w->m->paused ? w->m->paused_by : w->c->pause.by;
    const char *reason = w->m->paused ? w->m->paused_reason : w->c->pause.reason;
    wording_who(w->text, w->size, w->m->paused ? "paused" : "the daemon is paused", by, reason);
}

static void say_approval(const struct wording *w)
{
    snprintf(w->text, w->size, "nobody has approved it: schemagate approve %lld",
             (long long)w->m->version);
}

static void say_soaking(const struct wording *w)
{
    char left[WORDING_SPAN_SIZE];
    wording_span(w->facts->soak_ms - w->facts->soak_elapsed_ms + 999, left);
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

void wording_say(const struct wording *w)
{
    sayings[w->hold->code](w);
}
