/* HTTP, as far as it matters: requests and answers that are lost, late, doubled and out of order; answers
 * that are held back until a replica is admitted (http/replicas.c). */
#include "sim.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- back ---- */

static void answered(struct sim *s, void *context)
{
    struct message *m = context;
    if (!s->over && m->process >= 0) {
        struct process *p = &s->processes[m->process];
        if (p->serial == m->serial && p->paused_until > s->now) {
            queue_add(s, p->paused_until + chance_between(s, 0, 5), answered, m);
            return;
        }
        fleet_answer(s, m);
    }
    free(m);
}

static void answer(struct daemon *d, struct message *m, enum answer answer, enum problem problem)
{
    struct sim *s = d->sim;
    bool lost = d->muted || m->process < 0 || d->network_cut_until > s->now ||
                (!s->calm && chance_percent(s, s->profile.loss));

    if (lost) {
        free(m);
        return;
    }
    m->answer = answer;
    m->problem = problem;
    queue_add(s, s->now + chance_delay(s, s->profile.delay), answered, m);
}

static enum answer state_answer(const struct replica *r)
{
    return r && r->state == REPLICA_WAITING ? ANSWER_WAITING : ANSWER_LIVE;
}

/* ---- registrations whose answer is held back ---- */

static struct replica *find_own(const struct daemon *d, const struct message *m)
{
    struct replica *r = coordinator_find_replica(d->c, m->app, m->instance);
    while (r && strcmp(r->incarnation, m->incarnation) != 0)
        r = r->older;
    return r;
}

void network_look(struct daemon *d, bool all)
{
    struct message *m, *next;
    DL_FOREACH_SAFE(d->held, m, next)
    {
        struct replica *r = find_own(d, m);
        bool last = all || m->wait_until <= d->sim->now;
        if (r && r->state == REPLICA_WAITING && !r->superseded && !last)
            continue;
        DL_DELETE(d->held, m);
        if (r)
            coordinator_hold_lease(d->c, r, -1);
        if (!r)
            answer(d, m, ANSWER_PROBLEM, PROBLEM_UNKNOWN_REPLICA);
        else if (r->superseded)
            answer(d, m, ANSWER_PROBLEM, PROBLEM_INCARNATION_SUPERSEDED);
        else
            answer(d, m, state_answer(r), PROBLEM_NONE);
    }
}

struct patience {
    struct daemon *d;
    uint64_t serial;
};

static void time_is_up(struct sim *s, void *context)
{
    struct patience patience = *(struct patience *)context;
    if (!s->over && patience.d->serial == patience.serial &&
        daemon_defers(s, patience.d, time_is_up, context))
        return;
    free(context);
    if (!s->over && patience.d->serial == patience.serial)
        network_look(patience.d, false);
}

static void hold_back(struct daemon *d, struct message *m, struct replica *r)
{
    struct patience *patience = memory_new(sizeof *patience);
    *patience = (struct patience){d, d->serial};
    coordinator_hold_lease(d->c, r, 1);
    DL_APPEND(d->held, m);
    queue_add(d->sim, m->wait_until, time_is_up, patience);
}

/* ---- the coordinator's answers ---- */

static void on_registered(void *context, const struct outcome *o)
{
    struct message *m = context;
    struct daemon *d = &m->sim->daemons[m->daemon];

    if (o->problem == PROBLEM_SCHEMA_TOO_OLD || o->problem == PROBLEM_RANGE_NOT_SERVED)
        d->sim->counts.refusals++;
    if (o->problem)
        answer(d, m, ANSWER_PROBLEM, o->problem);
    else if (o->replica->state == REPLICA_WAITING && m->wait_until > d->sim->now && !d->muted)
        hold_back(d, m, o->replica);
    else
        answer(d, m, state_answer(o->replica), PROBLEM_NONE);
}

static void on_done(void *context, const struct outcome *o)
{
    struct message *m = context;
    struct sim *s = m->sim;
    struct blueprint *b = truth_find(s, m->version);

    if (m->request == REQUEST_ACT && !o->problem && b)
        s->told_paused[b - s->blueprints] = m->event == EVENT_PAUSE;
    answer(&s->daemons[m->daemon], m, o->problem ? ANSWER_PROBLEM : ANSWER_OK, o->problem);
}

/* ---- handing over ---- */

static void take_registration(struct daemon *d, struct message *m)
{
    for (size_t i = 0; i < m->knows_count; i++)
        m->knows[i].checksum = m->checksums[i];
    coordinator_register(d->c,
                         &(struct registration){
                             .app = m->app,
                             .instance = m->instance,
                             .incarnation = m->incarnation,
                             .range = m->range,
                             .lease_seconds = m->lease_seconds,
                             .release = m->release,
                             .application_name = m->application_name,
                             .address = m->address,
                             .on_lost_exit = m->on_lost_exit,
                             .predecessor_ended = *m->predecessor,
                             .predecessor = m->predecessor,
                             .knows = m->knows,
                             .knows_count = m->knows_count,
                             .actor = m->app,
                         },
                         on_registered, m);
}

static void take_renewal(struct daemon *d, struct message *m)
{
    struct outcome o;
    coordinator_renew(d->c, m->app, m->instance, m->incarnation, 1, 0, &o);
    if (o.problem)
        answer(d, m, ANSWER_PROBLEM, o.problem);
    else
        answer(d, m, state_answer(o.replica), PROBLEM_NONE);
}

static void take_removal(struct daemon *d, struct message *m)
{
    static const enum replica_event events[] = {[REQUEST_LEAVE] = REPLICA_DEREGISTERED,
                                                [REQUEST_EVICT] = REPLICA_EVICTED,
                                                [REQUEST_ATTEST] = REPLICA_ATTESTED};
    coordinator_remove(d->c, events[m->request], m->app, m->instance, m->incarnation, "it has ended",
                       "operator", on_done, m);
}

static void take_act(struct daemon *d, struct message *m)
{
    coordinator_act(d->c, m->version, m->event, "because", "operator", on_done, m);
}

static void take_pause(struct daemon *d, struct message *m)
{
    coordinator_pause_all(d->c, m->flag, "because", "operator", on_done, m);
}

static void take_submission(struct daemon *d, struct message *m)
{
    coordinator_submit(d->c,
                       &(struct submission){.version = m->version,
                                            .sql = m->text,
                                            .sql_length = strlen(m->text),
                                            .soak_seconds = -1,
                                            .keep_hours = -1,
                                            .actor = "ci"},
                       on_done, m);
}

static void take_baseline(struct daemon *d, struct message *m)
{
    coordinator_baseline(d->c, m->version, "operator", on_done, m);
}

static void take_app(struct daemon *d, struct message *m)
{
    coordinator_change_app(d->c,
                           &(struct app_change){.app = m->app,
                                                .set_min_replicas = m->number >= 0,
                                                .min_replicas = m->number,
                                                .set_desired = m->flag,
                                                .clear_desired = !m->flag,
                                                .desired = m->range,
                                                .desired_release = "",
                                                .actor = "ci"},
                           on_done, m);
}

static void take_compatible(struct daemon *d, struct message *m)
{
    coordinator_record_compatible(d->c, m->app, m->release, m->true_max, "it never touched it",
                                  "operator", on_done, m);
}

static void take_retirement(struct daemon *d, struct message *m)
{
    coordinator_retire_app(d->c, m->app, "given up", "operator", on_done, m);
}

static void arrive(struct sim *s, void *context)
{
    static void (*const takers[])(struct daemon *, struct message *) = {
        [REQUEST_REGISTER] = take_registration, [REQUEST_RENEW] = take_renewal,
        [REQUEST_LEAVE] = take_removal,         [REQUEST_EVICT] = take_removal,
        [REQUEST_ATTEST] = take_removal,        [REQUEST_ACT] = take_act,
        [REQUEST_PAUSE_ALL] = take_pause,       [REQUEST_SUBMIT] = take_submission,
        [REQUEST_BASELINE] = take_baseline,     [REQUEST_APP] = take_app,
        [REQUEST_COMPATIBLE] = take_compatible, [REQUEST_RETIRE] = take_retirement,
    };
    struct message *m = context;
    struct daemon *d = &s->daemons[m->daemon];

    if (s->over || !d->c || d->network_cut_until > s->now) {
        free(m);
        return;
    }
    if (daemon_defers(s, d, arrive, m))
        return;
    m->sim = s;
    takers[m->request](d, m);
}

static void post(struct sim *s, const struct message *message, size_t daemon)
{
    struct message *copy = memory_new(sizeof *copy);
    *copy = *message;
    copy->daemon = daemon;
    queue_add(s, s->now + chance_delay(s, s->profile.delay), arrive, copy);
}

void network_send(struct sim *s, const struct message *message, size_t daemon)
{
    if (s->calm || !chance_percent(s, s->profile.loss))
        post(s, message, daemon);
    if (!s->calm && chance_percent(s, s->profile.duplicate))
        post(s, message, daemon);
}
