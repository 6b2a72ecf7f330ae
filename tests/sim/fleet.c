/* The applications: processes that register, wait, run, renew, are stopped, die, stand still and start again,
 * of old releases and new ones. What a process really works with is known here alone. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#define GOODBYES 6

const char *const app_names[APPS] = {"web", "api", "tool"};

const struct process *fleet_find(const struct sim *s, const char *incarnation)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (s->processes[i].state != PROCESS_DEAD &&
            strcmp(s->processes[i].incarnation, incarnation) == 0)
            return &s->processes[i];
    return NULL;
}

/* ---- requests ---- */

static void list_known(const struct sim *s, const struct process *p, struct message *m)
{
    for (size_t i = 0; p->lists && i < s->blueprint_count; i++) {
        const struct blueprint *b = &s->blueprints[i];
        if (b->version > p->true_max)
            continue;
        m->knows[m->knows_count].version = b->version;
        memcpy(m->checksums[m->knows_count++], b->checksum, sizeof b->checksum);
    }
}

static void ask(struct sim *s, size_t process, enum request request)
{
    struct process *p = &s->processes[process];
    struct message m = {
        .request = request,
        .process = (int)process,
        .serial = p->serial,
        .range = p->range,
        .true_max = p->true_max,
        .on_lost_exit = p->on_lost_exit,
        .lease_seconds = p->lease_seconds,
        .sent_at = s->now,
    };
    snprintf(m.app, sizeof m.app, "%s", app_names[p->app]);
    snprintf(m.instance, sizeof m.instance, "i%zu", p->instance);
    memcpy(m.incarnation, p->incarnation, sizeof m.incarnation);
    memcpy(m.release, p->release, sizeof m.release);
    memcpy(m.predecessor, p->predecessor, sizeof m.predecessor);
    memcpy(m.application_name, p->application_name, sizeof m.application_name);
    memcpy(m.address, p->address, sizeof m.address);
    list_known(s, p, &m);
    if (request == REQUEST_REGISTER && chance_percent(s, 30))
        m.wait_until = s->now + 5000;
    if (chance_percent(s, 5))
        p->daemon = (size_t)chance_between(s, 0, DAEMONS - 1);
    network_send(s, &m, p->daemon);
}

/* ---- starting ---- */

/* A version that exists, mostly one of the newest; 0 where there is none. */
static int64_t some_version(struct sim *s, int64_t back)
{
    int64_t count = (int64_t)s->blueprint_count;
    int64_t at = count - 1 - (chance_percent(s, 75) ? chance_between(s, 0, back)
                                                    : chance_between(s, 0, count));
    return at >= 0 ? s->blueprints[at].version : rows_number(s->rows.window, "baseline");
}

static void choose_release(struct sim *s, struct process *p)
{
    int64_t a = some_version(s, 1), b = some_version(s, 2);

    p->range = (struct version_range){a < b ? a : b, a < b ? b : a};
    if (chance_percent(s, 15))
        p->range.min = 0;
    p->true_max = p->range.max;
    p->lists = false;
    if (chance_percent(s, 10)) { /* it claims all that may come, but tells what it ships */
        p->lists = p->true_max > 0;
        p->range.max += p->lists ? 1000 : 0;
    } else if (chance_percent(s, 10)) { /* it works with more than it knows: an operator may say so */
        p->true_max++;
    }
}

static void choose_newest(struct sim *s, struct process *p)
{
    p->range = (struct version_range){0, s->blueprint_count
                                             ? s->blueprints[s->blueprint_count - 1].version
                                             : rows_number(s->rows.window, "baseline")};
    p->true_max = p->range.max;
    p->lists = false;
}

static bool others_ended(const struct sim *s, const struct process *p)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        const struct process *other = &s->processes[i];
        if (other != p && other->state != PROCESS_DEAD && other->state != PROCESS_LEAVING &&
            other->app == p->app && other->instance == p->instance)
            return false;
    }
    return true;
}


static void go_on(struct sim *s, void *context);

/* The context is a number: process and serial fit into it, and nothing has to be freed. */
static void wait_until(struct sim *s, size_t process, int64_t at)
{
    queue_add(s, at, go_on, (void *)(uintptr_t)(s->processes[process].serial * PROCESSES + process));
}

static void start(struct sim *s, size_t slot, size_t app, size_t instance, bool newest)
{
    struct process *p = &s->processes[slot];

    *p = (struct process){.state = PROCESS_REGISTERING, .serial = ++s->serials, .app = app,
                          .instance = instance, .started_at = s->now};
    if (others_ended(s, p) && chance_percent(s, 60))
        snprintf(p->predecessor, sizeof p->predecessor, "x%llu",
                 (unsigned long long)s->youngest[app][instance]);
    s->youngest[app][instance] = p->serial;
    if (newest)
        choose_newest(s, p);
    else
        choose_release(s, p);
    snprintf(p->incarnation, sizeof p->incarnation, "x%llu", (unsigned long long)p->serial);
    snprintf(p->release, sizeof p->release, "%lld-%lld/%lld%s", (long long)p->range.min,
             (long long)p->range.max, (long long)p->true_max, p->lists ? "k" : "");
    p->on_lost_exit = chance_percent(s, 20);
    p->lease_seconds = chance_between(s, 5, 10);
    p->daemon = (size_t)chance_between(s, 0, DAEMONS - 1);
    sessions_draw(s, p);
    if (p->habit == HABIT_PINS && chance_percent(s, 30)) /* its pool connects before it registers */
        sessions_start(s, slot);
    sim_trace(s, "%s/i%zu (%s) starts, %s, %s as %s/%s from %s%s", app_names[app], instance, p->incarnation,
              p->release, habit_names[p->habit], role_names[p->role], p->application_name, p->address,
              *p->predecessor ? ", its predecessor has ended" : "");
    ask(s, slot, REQUEST_REGISTER);
    wait_until(s, slot, s->now + 1000);
}

static void start_somewhere(struct sim *s, bool newest, size_t app)
{
    for (size_t slot = 0; slot < PROCESSES; slot++) {
        if (s->processes[slot].state == PROCESS_DEAD) {
            start(s, slot, app, (size_t)chance_between(s, 0, INSTANCES - 1), newest);
            return;
        }
    }
}

/* ---- a life ---- */

static void die(struct sim *s, struct process *p)
{
    sim_trace(s, "%s/i%zu (%s) ends", app_names[p->app], p->instance, p->incarnation);
    sessions_leave(s, p);
    p->state = PROCESS_DEAD;
    p->serial = ++s->serials;
}

void fleet_kill(struct sim *s, size_t process)
{
    if (s->processes[process].state != PROCESS_DEAD)
        die(s, &s->processes[process]);
}

static void stop(struct sim *s, size_t process)
{
    struct process *p = &s->processes[process];
    if (p->state == PROCESS_DEAD || p->state == PROCESS_LEAVING)
        return;
    p->state = PROCESS_LEAVING;
    sim_trace(s, "%s/i%zu (%s) says goodbye", app_names[p->app], p->instance, p->incarnation);
    ask(s, process, REQUEST_LEAVE);
    wait_until(s, process, s->now + 500);
}

static void renew(struct sim *s, size_t process)
{
    const struct process *p = &s->processes[process];
    ask(s, process, REQUEST_RENEW);
    wait_until(s, process, s->now + p->lease_seconds * 1000 / 3);
}

static void say_goodbye(struct sim *s, size_t process)
{
    struct process *p = &s->processes[process];
    if (++p->goodbyes > GOODBYES) {
        die(s, p);
        return;
    }
    ask(s, process, REQUEST_LEAVE);
    wait_until(s, process, s->now + 1000);
}

static void go_on(struct sim *s, void *context)
{
    size_t process = (size_t)((uintptr_t)context % PROCESSES);
    struct process *p = &s->processes[process];

    if (s->over || p->serial != (uint64_t)((uintptr_t)context / PROCESSES) || p->state == PROCESS_DEAD)
        return;
    if (p->paused_until > s->now) {
        wait_until(s, process, p->paused_until);
        return;
    }
    if (p->state == PROCESS_REGISTERING) {
        ask(s, process, REQUEST_REGISTER);
        wait_until(s, process, s->now + 1500);
    } else if (p->state == PROCESS_LEAVING) {
        say_goodbye(s, process);
    } else {
        renew(s, process);
    }
}

/* ---- on_lost=exit: it ends with its lease, at the last moment that it has promised ---- */

/* What stands still is ended as well: by the guard beside it. */
static void guard(struct sim *s, void *context)
{
    size_t process = (size_t)((uintptr_t)context % PROCESSES);
    struct process *p = &s->processes[process];

    if (s->over || p->serial != (uint64_t)((uintptr_t)context / PROCESSES) || p->state != PROCESS_RUNNING)
        return;
    if (s->now < p->confirmed_until)
        queue_add(s, p->confirmed_until, guard, context);
    else
        die(s, p);
}

/* ---- answers ---- */

static void start_running(struct sim *s, struct process *p)
{
    if (p->state == PROCESS_RUNNING || p->state == PROCESS_LEAVING)
        return;
    if (p->on_lost_exit && s->now >= p->confirmed_until) /* the answer is too old: the next renewal counts */
        return;
    if (p->on_lost_exit)
        queue_add(s, p->confirmed_until, guard,
                  (void *)(uintptr_t)(p->serial * PROCESSES + (uint64_t)(p - s->processes)));
    sim_trace(s, "%s/i%zu (%s) runs", app_names[p->app], p->instance, p->incarnation);
    p->state = PROCESS_RUNNING;
    if (failover_has_lost(s, p))
        p->given_up = GIVEN_UP_FORGOTTEN;
    sessions_start(s, (size_t)(p - s->processes));
    s->counts.live++;
    s->look = true;
}

static void hear_problem(struct sim *s, size_t process, enum problem problem)
{
    struct process *p = &s->processes[process];
    bool refused = problem == PROBLEM_SCHEMA_TOO_OLD || problem == PROBLEM_RANGE_NOT_SERVED ||
                   problem == PROBLEM_INCARNATION_SUPERSEDED || problem == PROBLEM_APP_RETIRED;

    if (p->state == PROCESS_LEAVING) {
        if (problem == PROBLEM_INCARNATION_SUPERSEDED)
            die(s, p);
        return;
    }
    if (problem == PROBLEM_UNKNOWN_REPLICA) {
        if (p->state == PROCESS_WAITING)
            p->state = PROCESS_REGISTERING;
        ask(s, process, REQUEST_REGISTER);
    } else if (refused && p->state != PROCESS_RUNNING) {
        die(s, p);
    } else if (!refused) {
        p->daemon = (p->daemon + 1) % DAEMONS;
    }
}

void fleet_answer(struct sim *s, const struct message *m)
{
    struct process *p = &s->processes[m->process];

    if (p->serial != m->serial || p->state == PROCESS_DEAD)
        return;
    if (m->answer == ANSWER_PROBLEM) {
        hear_problem(s, (size_t)m->process, m->problem);
        return;
    }
    p->daemon = m->daemon;
    if (m->answer == ANSWER_LIVE && p->confirmed_until < m->sent_at + p->lease_seconds * 1000)
        p->confirmed_until = m->sent_at + p->lease_seconds * 1000;
    if (m->answer == ANSWER_LIVE)
        start_running(s, p);
    else if (m->answer == ANSWER_WAITING && p->state == PROCESS_REGISTERING)
        p->state = PROCESS_WAITING;
    else if (m->answer == ANSWER_OK && m->request == REQUEST_LEAVE && p->state == PROCESS_LEAVING)
        die(s, p);
}

/* ---- deployments ---- */

/* Code that can do more from now on, and then says so. */
static void widen(struct sim *s, size_t process)
{
    struct process *p = &s->processes[process];
    int64_t newest = some_version(s, 0);
    if (p->state != PROCESS_RUNNING || p->lists || newest <= p->true_max)
        return;
    p->true_max = p->range.max = newest;
    ask(s, process, REQUEST_REGISTER);
}

static void happen_to(struct sim *s, size_t process)
{
    struct process *p = &s->processes[process];
    int64_t dice = chance_between(s, 0, 99);
    size_t app = p->app, instance = p->instance;

    if (p->state == PROCESS_DEAD) {
        start_somewhere(s, false, chance_percent(s, 5) ? 2 : (size_t)chance_between(s, 0, 1));
    } else if (dice < 45) {
        stop(s, process);
        start_somewhere(s, false, app);
    } else if (dice < 65) { /* killed, and started again at once in the same place */
        die(s, p);
        start(s, process, app, instance, false);
    } else if (dice < 75) {
        die(s, p);
    } else if (dice < 85) {
        p->paused_until = s->now + chance_between(s, 100, 20000);
    } else if (dice < 92) {
        widen(s, process);
    } else { /* it overlaps with the one before */
        for (size_t slot = 0; slot < PROCESSES; slot++) {
            if (s->processes[slot].state == PROCESS_DEAD) {
                start(s, slot, app, instance, false);
                return;
            }
        }
    }
}

static void deploy(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    happen_to(s, (size_t)chance_between(s, 0, PROCESSES - 1) % 14);
    queue_add(s, s->now + chance_between(s, 1, 2 * s->profile.fleet_every), deploy, NULL);
}

void fleet_begin(struct sim *s)
{
    for (size_t i = 0; i < 4; i++)
        start_somewhere(s, i >= 2, i % 2);
    deploy(s, NULL);
}

void fleet_retire(struct sim *s)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        s->processes[i].paused_until = 0;
        stop(s, i);
    }
}

void fleet_start_newest(struct sim *s)
{
    for (size_t app = 0; app < APPS; app++)
        for (size_t instance = 0; instance < 2; instance++) {
            for (size_t slot = 0; slot < PROCESSES; slot++) {
                if (s->processes[slot].state == PROCESS_DEAD) {
                    start(s, slot, app, instance, true);
                    break;
                }
            }
        }
}
