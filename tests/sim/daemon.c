/* A daemon: the real coordinator, and around it what db/ and service/ do: who leads, when it is woken, what
 * its planner says. It is started, killed, stopped and paused at any step. */
#include "sim.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool daemon_defers(struct sim *s, struct daemon *d, happen *what, void *context)
{
    if (d->paused_until <= s->now)
        return false;
    queue_add(s, d->paused_until + chance_between(s, 0, 20), what, context);
    return true;
}

/* What happens to one process of a daemon. */
struct visit {
    struct daemon *d;
    uint64_t serial, alarm;
};

static struct visit *visit_new(struct daemon *d, uint64_t alarm)
{
    struct visit *visit = memory_new(sizeof *visit);
    *visit = (struct visit){d, d->serial, alarm};
    return visit;
}

/* NULL: it is for a process that is no more, or has to wait. Else the caller frees. */
static struct daemon *visit_take(struct sim *s, struct visit *visit, happen *again)
{
    struct daemon *d = visit->d;
    if (s->over || !d->c || d->serial != visit->serial) {
        free(visit);
        return NULL;
    }
    return daemon_defers(s, d, again, visit) ? NULL : d;
}

/* ---- the world ---- */

static struct instant now(void *world)
{
    const struct daemon *d = world;
    return (struct instant){d->sim->now + d->boot_offset, d->sim->now + d->wall_offset};
}

static void tick(struct sim *s, void *context)
{
    struct daemon *d = visit_take(s, context, tick);
    if (!d)
        return;
    free(context);
    d->woken = false;
    coordinator_tick(d->c);
}

static void wake(void *world)
{
    struct daemon *d = world;
    if (d->woken || d->muted)
        return;
    d->woken = true;
    queue_add(d->sim, d->sim->now, tick, visit_new(d, 0));
}

static void ring(struct sim *s, void *context)
{
    struct visit *visit = context;
    struct daemon *d = visit_take(s, visit, ring);
    if (!d)
        return;
    bool newest = visit->alarm == d->alarm;
    free(visit);
    if (newest) {
        d->alarm_at = 0;
        coordinator_tick(d->c);
    }
}

static void wake_at(void *world, int64_t boot_ms)
{
    struct daemon *d = world;
    int64_t at = boot_ms - d->boot_offset;
    if (d->muted || (d->alarm_at && d->alarm_at == at))
        return;
    d->alarm_at = at;
    queue_add(d->sim, at, ring, visit_new(d, ++d->alarm));
}

static uint32_t chance(void *world)
{
    return (uint32_t)chance_next(((struct daemon *)world)->sim);
}

static void look(struct sim *s, void *context)
{
    struct daemon *d = visit_take(s, context, look);
    if (!d)
        return;
    free(context);
    d->looking = false;
    network_look(d, false);
}

static void changed(void *world)
{
    struct daemon *d = world;
    if (d->looking || d->muted || !d->held)
        return;
    d->looking = true;
    queue_add(d->sim, d->sim->now, look, visit_new(d, 0));
}

static void fall(struct sim *s, void *context)
{
    struct daemon *d = visit_take(s, context, fall);
    if (!d)
        return;
    free(context);
    d->falling = false;
    if (!d->link)
        return;
    struct link *link = d->link;
    d->life = LIFE_DOWN;
    link_close(s, link);
    d->failures++;
    daemon_connect(d, chance_between(s, 50, 100) * (d->failures < 6 ? 1 << d->failures : 64));
    coordinator_end_term(d->c, "the database is away");
}

void daemon_fall(struct daemon *d, const char *reason)
{
    if (d->falling || d->muted || d->life == LIFE_DOWN)
        return;
    sim_trace(d->sim, "daemon %zu drops its sessions: %s", d->index, reason);
    d->falling = true;
    queue_add(d->sim, d->sim->now, fall, visit_new(d, 0));
}

static void restart_term(void *world, const char *reason)
{
    daemon_fall(world, reason);
}

static const struct world_ops ops = {.now = now,
                                     .wake_at = wake_at,
                                     .wake = wake,
                                     .chance = chance,
                                     .changed = changed,
                                     .restart_term = restart_term};

/* ---- the planner: reads what truth_write_text wrote ---- */

struct job {
    struct job *prev, *next;
    struct daemon *d;
    struct plan *plan;
    void (*done)(void *context, struct plan *plan); /* NULL: uses are asked for */
    struct plan_used *uses;
    void (*uses_done)(void *context, const struct plan_used *uses);
    void *context;
};

/* given=false: its daemon ends. */
static void answer_job(struct job *job, bool given)
{
    if (job->done)
        job->done(job->context, given ? job->plan : NULL);
    else
        job->uses_done(job->context, given ? job->uses : NULL);
    free(job->uses);
    job->uses = NULL;
}

static void add_statement(struct plan *plan, const struct blueprint *b, enum plan_section section,
                          int number)
{
    bool alone = number == 1 && (b->alone & (1u << section));
    bool splits = section == PLAN_BACKFILL && b->batched;
    bool together = b->together && !(b->alone & (1u << section));
    struct plan_work work = {0};

    if (number % 2) /* the others lock nothing that is there already */
        plan_work_lock(&work, "t", LOCK_ACCESS_EXCLUSIVE);
    if (splits && number == 1) {
        work.kind = WORK_BATCHED;
        work.batch = (struct plan_batch){.relation = memory_copy("t"),
                                         .alias = memory_copy("t"),
                                         .head = memory_copy("UPDATE "),
                                         .body = memory_copy(" SET a = 1"),
                                         .tail = memory_copy(""),
                                         .assigned = memory_copy("{a}"),
                                         .calls = memory_copy("{}"),
                                         .wide_calls = memory_copy("{}")};
    }
    if (section == PLAN_CONTRACT && number == 1) {
        work.drops = memory_new(sizeof *work.drops);
        work.drops->table = memory_printf("t%lld", (long long)b->version);
        work.drop_count = 1;
    }
    plan->statements[plan->statement_count++] = (struct plan_statement){
        .section = section,
        .number = (unsigned)number,
        .transaction = !together ? (unsigned)number : splits && number > 1 ? 2 : 1,
        .transactional = !alone,
        .line = (unsigned)number,
        .column = 1,
        .sql = memory_printf("%lld %d %d/%d %d", (long long)b->version, (int)section, number,
                             b->statements[section], alone),
        .work = work,
    };
}

static struct plan *read_plan(const char *sql)
{
    struct blueprint b = {0};
    struct plan *plan = memory_new(sizeof *plan);
    long long version, soak, requires;
    int together, manual, keep, batched;

    sscanf(sql, "%lld %u %d %d %d %d %u %d %d %lld %lld %d %d", &version, &b.revision, &b.statements[0],
           &b.statements[1], &b.statements[2], &b.statements[3], &b.alone, &together, &manual, &soak,
           &requires, &keep, &batched);
    b.batched = batched;
    b.version = version;
    b.together = together;
    b.keep = keep;
    truth_plan_keep(&b);
    plan->approval = memory_copy(manual ? "manual" : "auto");
    plan->soak_seconds = soak;
    plan->keep_hours = keep;
    plan->requires = requires ? requires : -1;
    plan->checksum = memory_copy(sql);
    plan->plan_checksum = memory_printf("plan of %s", sql);
    plan->statements = memory_new(PLAN_SECTIONS * STATEMENTS * sizeof *plan->statements);
    for (enum plan_section section = 0; section < PLAN_SECTIONS; section++) {
        if (section < PLAN_WRITTEN_SECTIONS)
            plan->has_section[section] = b.statements[section] >= 0;
        for (int number = 1; number <= b.statements[section]; number++)
            add_statement(plan, &b, section, number);
    }
    return plan;
}

static void planned(struct sim *s, void *context)
{
    struct job *job = context;
    if (!s->over && job->d && daemon_defers(s, job->d, planned, job))
        return;
    if (job->d) {
        DL_DELETE(job->d->jobs, job);
        answer_job(job, true);
    }
    free(job);
}

/* NULL for those whose daemon ends. */
static void give_up_planning(struct daemon *d)
{
    struct job *job;
    while ((job = d->jobs)) {
        DL_DELETE(d->jobs, job);
        job->d = NULL;
        plan_free(job->plan);
        answer_job(job, false);
    }
}

static void read_sql(void *planner, const char *sql, size_t length, const struct plan_options *options,
                     void (*done)(void *context, struct plan *plan), void *context)
{
    struct daemon *d = planner;
    struct job *job = memory_new(sizeof *job);
    (void)length, (void)options;
    *job = (struct job){.d = d, .plan = read_plan(sql), .done = done, .context = context};
    DL_APPEND(d->jobs, job);
    queue_add(d->sim, d->sim->now + chance_delay(d->sim, 5), planned, job);
}

/* Now and then the worker dies over them. */
static void find_uses(void *planner, const struct plan_question *question,
                      void (*done)(void *context, const struct plan_used *uses), void *context)
{
    struct daemon *d = planner;
    struct job *job = memory_new(sizeof *job);
    *job = (struct job){.d = d, .uses_done = done, .context = context};
    if (!chance_one_in(d->sim, 20))
        job->uses = memory_new(question->text_count * sizeof *job->uses);
    for (size_t i = 0; job->uses && i < question->text_count; i++)
        job->uses[i] = plan_uses(question->texts[i], question->drops, question->drop_count);
    DL_APPEND(d->jobs, job);
    queue_add(d->sim, d->sim->now + chance_delay(d->sim, 5), planned, job);
}

static const struct planner_ops planner_ops = {.read = read_sql, .find_uses = find_uses};

/* ---- who leads ---- */

static void live(struct sim *s, void *context)
{
    struct visit *visit = context;
    struct daemon *d = visit_take(s, visit, live);
    if (!d)
        return;
    if (visit->alarm != (d->link ? (uint64_t)(uintptr_t)d->link : 0) || d->life == LIFE_DOWN) {
        free(visit);
        return;
    }
    link_poll(s, d->link);
    queue_add(s, s->now + (d->life == LIFE_LEADING ? 2000 : chance_between(s, 50, 300)), live, visit);
}

static void connect(struct sim *s, void *context)
{
    struct daemon *d = visit_take(s, context, connect);
    if (!d)
        return;
    if (s->server.down_until > s->now || d->database_cut_until > s->now) {
        queue_add(s, s->now + chance_between(s, 100, 2000), connect, context);
        return;
    }
    free(context);
    if (d->stopping)
        return;
    d->link = link_open(s, d);
    d->life = LIFE_POLLING;
    queue_add(s, s->now + chance_between(s, 1, 20), live, visit_new(d, (uint64_t)(uintptr_t)d->link));
}

void daemon_connect(struct daemon *d, int64_t delay)
{
    queue_add(d->sim, d->sim->now + delay, connect, visit_new(d, 0));
}

bool daemon_is_quiet(const struct daemon *d)
{
    return d->life == LIFE_LEADING && !d->woken && !d->falling && !d->muted && !d->jobs &&
           coordinator_is_idle(d->c) && link_is_idle(d->link) &&
           (!d->alarm_at || d->alarm_at > d->sim->now);
}

/* ---- its end ---- */

/* Nothing that it still does leaves it. */
static void bury(struct sim *s, struct daemon *d)
{
    d->muted = true;
    give_up_planning(d);
    network_look(d, true);
    if (d->link)
        link_close(s, d->link);
    coordinator_end_term(d->c, "killed");
    if (d->link)
        link_close(s, d->link);
    coordinator_free(d->c);
    d->c = NULL;
    d->link = NULL;
    d->life = LIFE_DOWN;
    d->serial = ++s->serials;
}

static void start_again(struct sim *s, void *context)
{
    struct daemon *d = context;
    if (!s->over && !d->c)
        daemon_start(s, d->index);
}

void daemon_kill(struct sim *s, size_t index)
{
    struct daemon *d = &s->daemons[index];
    if (!d->c)
        return;
    sim_trace(s, "daemon %zu is killed", index);
    s->counts.kills++;
    bury(s, d);
    if (!s->over)
        queue_add(s, s->now + chance_between(s, 1, 10000), start_again, d);
}

static void ended(struct sim *s, void *context)
{
    struct visit *visit = context;
    struct daemon *d = visit_take(s, visit, ended);
    if (!d)
        return;
    if (!coordinator_is_idle(d->c) && visit->alarm++ < 100) {
        queue_add(s, s->now + 50, ended, visit);
        return;
    }
    free(visit);
    daemon_kill(s, d->index);
}

void daemon_stop(struct sim *s, size_t index)
{
    struct daemon *d = &s->daemons[index];
    if (!d->c || d->stopping)
        return;
    sim_trace(s, "daemon %zu is stopped", index);
    d->stopping = true;
    coordinator_stop(d->c);
    if (d->link)
        link_executor_ops.cancel(d);
    queue_add(s, s->now + 10, ended, visit_new(d, 0));
}

void daemon_pause(struct sim *s, size_t index, int64_t ms)
{
    struct daemon *d = &s->daemons[index];
    if (!d->c || d->paused_until > s->now)
        return;
    sim_trace(s, "daemon %zu stands still for %lld ms", index, (long long)ms);
    d->paused_until = s->now + ms;
}

static void configure_witness(const struct sim *s, struct daemon *d)
{
    static char *poolers[] = {(char *)"pooler"};

    d->config.gate.stray_sessions = (char *)s->rules.strays;
    d->config.gate.trust_absence_seconds = s->rules.trust_seconds;
    d->config.gate.assume_gone_after_seconds = s->rules.assume_seconds;
    d->config.gate.require_pins = s->rules.require_pins;
    d->config.gate.witness_interval_seconds = s->rules.witness_seconds;
    d->config.gate.ignore_application_names = (struct config_list){poolers, 1};
    if (s->rules.app_roles)
        d->config.gate.app_roles = (struct config_list){(char **)role_names, ROLES};
}

void daemon_start(struct sim *s, size_t index)
{
    struct daemon *d = &s->daemons[index];
    const struct environment environment = {
        .store_ops = &link_store_ops,    .store = d,   .executor_ops = &link_executor_ops,
        .executor = d,                   .planner_ops = &planner_ops, .planner = d,
        .world_ops = &ops,               .world = d,
        .witness_ops = &link_witness_ops, .witness = d,
    };

    sim_trace(s, "daemon %zu starts", index);
    d->sim = s;
    d->index = index;
    d->serial = ++s->serials;
    d->muted = d->stopping = d->woken = d->looking = d->falling = false;
    d->alarm_at = 0;
    d->failures = 0;
    d->paused_until = 0;
    d->boot_offset = chance_between(s, 1000, 100000000);
    if (d->wall_offset == 0)
        d->wall_offset = INT64_C(1795000000000);
    d->config.gate.lease_seconds = 10;
    d->config.gate.min_replicas = 1;
    d->config.gate.approval = (char *)"auto";
    d->config.migration.run_as = (char *)"";
    d->config.migration.lock_timeout_ms = 100;
    d->config.migration.retry_first_ms = 200;
    d->config.migration.retry_max_ms = 2000;
    d->config.migration.retry_for_seconds = s->seed % 3 == 0 ? 5 : 60;
    configure_witness(s, d);
    d->c = coordinator_new(&d->config, &environment);
    daemon_connect(d, chance_between(s, 1, 50));
}
