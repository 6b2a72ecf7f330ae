/* After a failover: another timeline or another cluster than the one on which registrations settled last.
 * What the new server never received is unknown to it, so no gate opens for the longest lease ever granted
 * plus grace, and a daemon that led before writes back what it has in memory (docs/design.md §3). */
#include "record.h"
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* ---- registrations that PostgreSQL has lost ---- */

struct keep_intent {
    struct intent intent;
    char *app, *instance, *incarnation;
};

static void keep_release(struct intent *intent)
{
    struct keep_intent *k = (struct keep_intent *)intent;
    free(k->app);
    free(k->instance);
    free(k->incarnation);
}

static const struct replica *kept(const struct coordinator *c, const struct keep_intent *k)
{
    return registry_find_incarnation(registry_find(&c->registry, k->app, k->instance), k->incarnation);
}

static bool keep_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct keep_intent *k = (const struct keep_intent *)intent;
    const struct replica *r = kept(c, k);

    if (!r)
        return false;
    changes_row(changes, "apps", json_pack("{s:s}", "app", k->app));
    changes_row(changes, "replicas", record_replica_whole(r));
    changes_event(changes, &(struct change_event){.kind = "replica.registered",
                                                  .app = k->app,
                                                  .instance = k->instance,
                                                  .reason = "written back after a failover",
                                                  .data = replica_note(r)});
    return true;
}

static void keep_apply(struct coordinator *c, struct intent *intent)
{
    (void)c;
    (void)intent;
}

static const struct intent_kind keep_kind = {
    .decide = keep_decide, .apply = keep_apply, .release = keep_release};

static void keep(struct coordinator *c, const struct replica *r)
{
    struct keep_intent *k = memory_new(sizeof *k);
    k->app = memory_copy(r->cohort->app->gate.name);
    k->instance = memory_copy(r->instance);
    k->incarnation = memory_copy(r->incarnation);
    k->intent = (struct intent){.kind = &keep_kind,
                                .subject = memory_printf("%s/%s", k->app, k->instance)};
    journal_add(c, &k->intent);
}

static struct cohort_key key_of(const struct cohort *cohort)
{
    return (struct cohort_key){cohort->gate.range, cohort->release, cohort->gate.knows,
                               cohort->gate.knows_count};
}

static struct replica *revive(const struct coordinator *c, struct registry *loaded,
                              const struct replica *known)
{
    struct application *app = registry_app(loaded, known->cohort->app->gate.name);
    struct cohort_key key = key_of(known->cohort);
    struct replica *r = registry_add(loaded, app, &key, known->instance, known->incarnation,
                                     known->application_name, known->address, REPLICA_LIVE);

    app->gate.min_replicas = app_min_replicas(c, app);
    r->lease_seconds = known->lease_seconds;
    r->on_lost_exit = known->on_lost_exit;
    r->registered_wall = known->registered_wall;
    r->state_since_wall = known->state_since_wall;
    r->renewed_boot = coordinator_now(c).boot_ms;
    registry_set_deadline(loaded, r, replica_lease_end(r));
    registry_set_settled(loaded, r, false);
    return r;
}

static bool same_range(const struct replica *a, const struct replica *b)
{
    return a->cohort->gate.range.min == b->cohort->gate.range.min &&
           a->cohort->gate.range.max == b->cohort->gate.range.max;
}

/* Returns whether the loaded one had to learn something. */
static bool teach(const struct coordinator *c, struct registry *loaded, const struct replica *known)
{
    struct replica *r = registry_find_incarnation(
        registry_find(loaded, known->cohort->app->gate.name, known->instance), known->incarnation);
    bool news = !r || !same_range(r, known) || (known->superseded && !r->superseded);

    if (!r)
        r = revive(c, loaded, known);
    if (!same_range(r, known)) {
        struct cohort_key key = key_of(known->cohort);
        registry_set_cohort(r, &key);
    }
    if (known->witnessed && !r->witnessed)
        registry_set_witnessed(r);
    if ((known->superseded && !r->superseded) || (news && known->state == REPLICA_LOST)) {
        r->superseded = known->superseded;
        registry_set_state(loaded, r, REPLICA_LOST);
        replica_begin_loss(c, loaded, r);
    }
    return news;
}

/* The oldest incarnation first: each that is added becomes the newest of its instance. */
static size_t write_back(struct coordinator *c, struct registry *loaded, const struct replica *known)
{
    size_t count = known->older ? write_back(c, loaded, known->older) : 0;
    if (!replica_holds((enum replica_state)known->state) || !teach(c, loaded, known))
        return count;
    keep(c, known);
    return count + 1;
}

/* ---- the failover ---- */

static bool is_another(const char *before, const char *now)
{
    return before && *before && strcmp(before, now) != 0;
}

void failover_look(struct coordinator *c, struct registry *loaded, struct settled_on *stored)
{
    /* What the window row says, else what this process has led on. */
    const struct settled_on *known = stored->timeline[0] ? stored : &c->settled_on;
    int64_t longest = c->settled_on.longest_lease_seconds;
    bool led = c->role == ROLE_CUT_OFF || c->role == ROLE_LEADER;

    c->failover = (struct failover){.is_new = is_another(known->timeline, c->term.timeline) ||
                                              is_another(known->system_identifier,
                                                         c->term.system_identifier)};
    c->failover.from = *known;
    if (stored->longest_lease_seconds > longest)
        longest = stored->longest_lease_seconds;
    if (c->config->gate.lease_seconds > longest)
        longest = c->config->gate.lease_seconds;
    c->settled_on = *stored;
    c->settle_until_boot = 0;
    if (!c->failover.is_new)
        return;
    c->settle_until_boot = coordinator_now(c).boot_ms + lease_with_grace_ms(longest);
    for (const struct replica *r = led ? c->registry.replicas : NULL; r; r = r->by_key.next)
        c->failover.written_back += write_back(c, loaded, r);
    log_warn("failover", LOG_TEXT("from", known->timeline), LOG_TEXT("to", c->term.timeline),
             LOG_NUMBER("written_back", c->failover.written_back),
             LOG_NUMBER("settling_ms", lease_with_grace_ms(longest)));
}

static void write_settled(const struct coordinator *c, struct change_set *changes)
{
    changes_window(changes, json_pack("{s:s, s:s}", "system_identifier", c->term.system_identifier,
                                      "timeline", c->term.timeline));
}

void failover_write(struct coordinator *c, struct change_set *changes)
{
    const struct failover *f = &c->failover;

    if (!f->is_new) {
        if (!c->settled_on.timeline[0])
            write_settled(c, changes);
        return;
    }
    changes_event(changes,
                  &(struct change_event){
                      .kind = "daemon.timeline",
                      .data = json_pack("{s:s, s:s, s:s, s:s, s:I}", "from", f->from.timeline, "to",
                                        c->term.timeline, "from_system", f->from.system_identifier,
                                        "to_system", c->term.system_identifier, "written_back",
                                        (json_int_t)f->written_back)});
}

/* ---- its end ---- */

static bool settled_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    (void)intent;
    write_settled(c, changes);
    return true;
}

static void settled_apply(struct coordinator *c, struct intent *intent)
{
    (void)intent;
    c->settle_until_boot = 0;
    failover_note_settled(c);
}

static const struct intent_kind settled_kind = {
    .exclusive = true, .decide = settled_decide, .apply = settled_apply};

void failover_note_settled(struct coordinator *c)
{
    snprintf(c->settled_on.timeline, sizeof c->settled_on.timeline, "%s", c->term.timeline);
    snprintf(c->settled_on.system_identifier, sizeof c->settled_on.system_identifier, "%s",
             c->term.system_identifier);
}

void failover_follow(struct coordinator *c)
{
    if (c->settle_until_boot == 0 || c->failover.ending ||
        coordinator_now(c).boot_ms < c->settle_until_boot)
        return;
    c->failover.ending = true;
    struct intent *settled = memory_new(sizeof *settled);
    settled->kind = &settled_kind;
    journal_add(c, settled);
}
