/* Every wait is explained: what a leader that rests does not do has a hold, a status, or a migration before
 * it. */
#include "sim.h"

#include <stdio.h>

static bool waits_for_its_turn(const struct daemon *d, const struct migration *m)
{
    for (const struct migration *other = coordinator_first_migration(d->c); other;
         other = coordinator_next_migration(other)) {
        bool before = other->version < m->version;
        if (other->phase == PHASE_UNDOING || (before && (other->phase == PHASE_QUEUED ||
                                                         other->phase == PHASE_EXPANDING ||
                                                         other->phase == PHASE_BACKFILLING)))
            return true;
    }
    const struct migration *needed = coordinator_find_migration(d->c, m->requires);
    return m->requires && (!needed || needed->phase != PHASE_COMPLETE);
}

static bool is_explained(const struct daemon *d, const struct migration *m)
{
    struct hold holds[4];
    size_t total;
    int64_t now = d->sim->now + d->boot_offset;
    enum migration_status status = coordinator_migration_status(d->c, m);

    if (m->lock.since_boot && m->lock.due_boot > now)
        return true; /* somebody is in its way, or was, and it will look again */
    if (status == STATUS_DONE || status == STATUS_FAILED || status == STATUS_PAUSED ||
        m->next_try_boot > now)
        return true;
    size_t count = coordinator_holds(d->c, m, holds, 4, &total);
    for (size_t i = 0; i < count; i++)
        d->sim->counts.held[holds[i].code]++;
    if (total > 0)
        return true;
    return (m->phase == PHASE_QUEUED || m->phase == PHASE_EXPANDING || m->phase == PHASE_BACKFILLING) &&
           waits_for_its_turn(d, m);
}

void waits_check(struct sim *s, size_t daemon)
{
    const struct daemon *d = &s->daemons[daemon];

    if (!d->c || coordinator_role(d->c) != ROLE_LEADER || !daemon_is_quiet(d))
        return;
    for (const struct migration *m = coordinator_first_migration(d->c); m;
         m = coordinator_next_migration(m))
        if (!is_explained(d, m))
            sim_fail(s, "daemon %zu rests, and nothing says why %lld (%s, %s) waits", daemon,
                     (long long)m->version, phase_name(m->phase),
                     migration_status_name(coordinator_migration_status(d->c, m)));
}
