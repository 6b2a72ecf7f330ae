/* The coordinator's own life, and reading from it. */
#include <schemagate/coordinator/coordinator.h>

#include "state.h"

#include <schemagate/base/memory.h>

struct coordinator *coordinator_new(const struct config *config, const struct environment *environment)
{
    struct coordinator *c = memory_new(sizeof *c);
    c->config = config;
    c->env = *environment;
    c->trouble = memory_copy("");
    c->leader_url = memory_copy("");
    journal_init(&c->journal);
    witness_init(&c->watch);
    migrations_refresh_view(c);
    return c;
}

void coordinator_configure(struct coordinator *c, const struct config *config)
{
    int64_t assumed_after = c->config->gate.assume_gone_after_seconds,
            trusted_after = c->config->gate.trust_absence_seconds;

    c->config = config;
    if (config->gate.assume_gone_after_seconds != assumed_after ||
        config->gate.trust_absence_seconds != trusted_after)
        replicas_judge_anew(c);
    c->registry.changes++; /* sessions are told apart by the configuration, too */
    for (struct application *app = c->registry.apps; app; app = app->by_name.next)
        app->gate.min_replicas = app_min_replicas(c, app);
    coordinator_wake(c);
}

bool coordinator_is_idle(const struct coordinator *c)
{
    return journal_is_idle(&c->journal) && !c->rollout.run;
}

void coordinator_tick(struct coordinator *c)
{
    replicas_expire(c);
    journal_flush(c);
    rollout_advance(c);
}

/* ---- reading ---- */

const char *coordinator_role_name(enum coordinator_role role)
{
    static const char *const names[] = {"starting", "leader", "cut-off", "standby", "stopping"};
    return names[role];
}

enum coordinator_role coordinator_role(const struct coordinator *c)
{
    return c->role;
}

const struct term *coordinator_term(const struct coordinator *c)
{
    return &c->term;
}

const char *coordinator_trouble(const struct coordinator *c)
{
    return c->trouble;
}

const char *coordinator_leader_url(const struct coordinator *c)
{
    return c->leader_url;
}

const struct window_view *coordinator_window(const struct coordinator *c)
{
    return &c->view;
}

int64_t coordinator_index(const struct coordinator *c)
{
    return c->index;
}

struct pause_note coordinator_paused(const struct coordinator *c)
{
    return c->pause;
}

const struct coordinator_counts *coordinator_counts(const struct coordinator *c)
{
    return &c->counts;
}

const struct migration *coordinator_first_migration(const struct coordinator *c)
{
    return c->migrations;
}

const struct migration *coordinator_next_migration(const struct migration *m)
{
    return m->by_version.next;
}

const struct migration *coordinator_find_migration(const struct coordinator *c, int64_t version)
{
    return migrations_find(c, version);
}

const char *migration_status_name(enum migration_status status)
{
    static const char *const names[] = {"running", "waiting", "retrying", "paused", "failed", "done"};
    return names[status];
}

enum migration_status coordinator_migration_status(const struct coordinator *c,
                                                   const struct migration *m)
{
    bool waits = m->phase == PHASE_QUEUED || m->phase == PHASE_EXPANDED || m->phase == PHASE_HIDDEN ||
                 m->phase == PHASE_UNDOING || m->lock.blocker_count > 0;
    bool paused = m->paused && m->phase != PHASE_RESTORING; /* it ends paused, and runs before */

    if (phase_is_final(m->phase))
        return STATUS_DONE;
    if (m->failed)
        return STATUS_FAILED;
    if (m->running)
        return STATUS_RUNNING;
    if (paused || c->pause.paused)
        return STATUS_PAUSED;
    if (m->pace.throttle)
        return STATUS_WAITING;
    if (m->next_try_boot)
        return STATUS_RETRYING;
    return waits ? STATUS_WAITING : STATUS_RUNNING;
}

struct reported coordinator_reported(const struct coordinator *c, const struct migration *m)
{
    return (struct reported){c->reported.requests - m->requests_before,
                             c->reported.errors - m->errors_before};
}

const struct application *coordinator_first_app(const struct coordinator *c)
{
    return c->registry.apps;
}

const struct application *coordinator_next_app(const struct application *app)
{
    return app->by_name.next;
}

const struct application *coordinator_find_app(const struct coordinator *c, const char *name)
{
    return registry_find_app(&c->registry, name);
}

size_t coordinator_cohorts(const struct application *app)
{
    return app->gate.cohort_count;
}

struct replica *coordinator_find_replica(const struct coordinator *c, const char *app,
                                         const char *instance)
{
    return registry_find(&c->registry, app, instance);
}

struct replica *coordinator_first_replica(const struct coordinator *c)
{
    return c->registry.replicas;
}

struct replica *coordinator_next_replica(const struct replica *r)
{
    return r->by_key.next;
}

enum admission coordinator_admission(const struct coordinator *c, struct version_range range,
                                     int64_t *pending, size_t size, size_t *count)
{
    *count = 0;
    for (const struct migration *m = c->migrations; m; m = m->by_version.next) {
        bool shuts_out = !phase_is_final(m->phase) && !phase_is_contracted(m->phase) &&
                         m->phase != PHASE_UNDOING && migration_has_steps(m, PLAN_CONTRACT) &&
                         range.max < m->version;
        if (!shuts_out)
            continue;
        if (*count < size)
            pending[*count] = m->version;
        (*count)++;
    }
    return window_admit(&c->view, range);
}

void coordinator_events(struct coordinator *c, int64_t after, const char *kind, int64_t version,
                        int limit, void (*done)(void *context, const json_t *rows), void *context)
{
    c->env.store_ops->events(c->env.store, after, kind, version, limit, done, context);
}
