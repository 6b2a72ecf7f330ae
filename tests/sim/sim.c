/* Runs seeds. Without a word in the environment: as many as make four million steps. SEEDS=n: so many,
 * from FIRST (default 1). SEED=n: that one, with a trace. */
#include "sim.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_OF_A_SEED 6000
#define STEPS_WANTED 4000000
#define PATIENCE_MS 600000 /* simulated: everything is complete by then */

/* For the handler of signals alone: which seed it was when an assertion failed. */
static const struct sim *volatile running;

static void say_where(const struct sim *s)
{
    fprintf(stderr, "seed %llu, step %llu, at %lld ms; to see how it came: SEED=%llu make sim\n",
            (unsigned long long)s->seed, (unsigned long long)s->step, (long long)s->now,
            (unsigned long long)s->seed);
}

static void on_signal(int number)
{
    signal(number, SIG_DFL);
    fprintf(stderr, "the program was ended by signal %d\n", number);
    if (running)
        say_where(running);
    raise(number);
}

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    say_where(s);
    exit(1);
}

void sim_trace(const struct sim *s, const char *format, ...)
{
    va_list arguments;
    if (!s->trace)
        return;
    printf("%6llu %8lld  ", (unsigned long long)s->step, (long long)s->now);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* The daemons' log lines are part of the trace, at simulated times. */
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    const struct sim *s = running;
    if (!s || !s->trace)
        return;
    printf("%6llu %8lld    [%d] %s", (unsigned long long)s->step, (long long)s->now, (int)level, message);
    for (size_t i = 0; i < count && fields[i].key; i++)
        if (fields[i].text)
            printf(" %s=%s", fields[i].key, fields[i].text);
        else
            printf(" %s=%lld", fields[i].key, (long long)fields[i].number);
    putchar('\n');
}

/* ---- one seed ---- */

static int64_t one_of(struct sim *s, const int64_t choices[4])
{
    return choices[chance_between(s, 0, 3)];
}

static void draw_profile(struct sim *s)
{
    s->profile = (struct profile){
        .loss = one_of(s, (const int64_t[]){0, 2, 10, 30}),
        .duplicate = one_of(s, (const int64_t[]){0, 5, 10, 30}),
        .delay = one_of(s, (const int64_t[]){1, 10, 50, 500}),
        .database_delay = one_of(s, (const int64_t[]){1, 2, 10, 100}),
        .fault_every = one_of(s, (const int64_t[]){0, 500, 3000, 10000}),
        .operator_every = one_of(s, (const int64_t[]){200, 500, 1000, 4000}),
        .submit_every = one_of(s, (const int64_t[]){1000, 5000, 10000, 20000}),
        .fleet_every = one_of(s, (const int64_t[]){100, 500, 1000, 3000}),
        .try_again = one_of(s, (const int64_t[]){0, 10, 30, 60}),
        .sql_fails = one_of(s, (const int64_t[]){0, 0, 5, 20}),
        .alone = one_of(s, (const int64_t[]){0, 0, 30, 100}),
        .refused_commit = one_of(s, (const int64_t[]){0, 0, 1000, 100}),
        .late_calls = one_of(s, (const int64_t[]){0, 0, 1, 10}),
    };
}

static void take_step(struct sim *s)
{
    struct happening next;
    if (!queue_next(s, &next))
        sim_fail(s, "nothing will ever happen again");
    s->now = next.at;
    s->step++;
    next.happen(s, next.context);
    if (s->look) {
        s->look = false;
        truth_check(s);
        record_check_registry(s);
    }
    for (size_t i = 0; i < DAEMONS; i++)
        waits_check(s, i);
}

static bool is_complete(const struct sim *s)
{
    const char *key;
    const json_t *row;
    json_object_foreach(s->rows.tables[ROWS_MIGRATIONS], key, row)
    {
        enum phase phase = PHASE_QUEUED;
        phase_parse(rows_text(row, "phase"), &phase);
        if (!phase_is_final(phase))
            return false;
    }
    return true;
}

static void run_until(struct sim *s, int64_t until)
{
    while (s->now < until)
        take_step(s);
}

/* Faults stop, every old process goes, new ones come: everything completes. */
static void come_to_an_end(struct sim *s)
{
    int64_t end = s->now + PATIENCE_MS;

    sim_trace(s, "the faults are over");
    s->calm = true;
    faults_end(s);
    sessions_calm(s);
    run_until(s, s->now + 30000); /* what was delayed arrives */
    fleet_retire(s);
    run_until(s, s->now + 15000);
    fleet_start_newest(s);
    while (!is_complete(s) && s->now < end) {
        operators_clean_up(s);
        run_until(s, s->now + 2000);
    }
    if (is_complete(s))
        return;
    for (size_t i = 0; i < DAEMONS; i++) {
        const struct daemon *d = &s->daemons[i];
        for (const struct migration *m = d->c && coordinator_role(d->c) == ROLE_LEADER
                                             ? coordinator_first_migration(d->c)
                                             : NULL;
             m; m = coordinator_next_migration(m)) {
            char text[256];
            coordinator_migration_summary(d->c, m, text, sizeof text);
            fprintf(stderr, "%lld: %s, %s: %s\n", (long long)m->version, phase_name(m->phase),
                    migration_status_name(coordinator_migration_status(d->c, m)), text);
        }
    }
    sim_fail(s, "without faults, and with new replicas alone, not everything completes");
}

static void take_apart(struct sim *s)
{
    struct happening next;
    s->over = true;
    for (size_t i = 0; i < DAEMONS; i++)
        daemon_kill(s, i);
    while (queue_next(s, &next))
        next.happen(s, next.context);
    server_free(s);
    rows_close(&s->rows);
    free(s->queue.heap);
}

static void count(struct sim *s)
{
    for (size_t i = 0; i < s->blueprint_count; i++) {
        s->counts.expands += s->blueprints[i].executed[PLAN_EXPAND] != 0;
        s->counts.contracts += s->blueprints[i].executed[PLAN_CONTRACT] != 0;
        s->counts.undos += s->blueprints[i].executed[PLAN_UNDO] != 0;
    }
    s->counts.steps = s->step;
}

static struct counts run_seed(uint64_t seed, bool trace)
{
    struct sim *s = memory_new(sizeof *s);
    s->seed = seed;
    s->random = seed * UINT64_C(0x2545f4914f6cdd1d);
    s->trace = trace;
    s->now = 1000;
    running = s;
    rows_open(&s->rows);
    s->server.timeline = 1;
    draw_profile(s);
    sessions_begin(s);
    for (size_t i = 0; i < DAEMONS; i++)
        daemon_start(s, i);
    operators_begin(s);
    fleet_begin(s);
    faults_begin(s);
    while (s->step < STEPS_OF_A_SEED)
        take_step(s);
    come_to_an_end(s);
    count(s);
    take_apart(s);
    struct counts counts = s->counts;
    running = NULL;
    free(s);
    return counts;
}

/* ---- all ---- */

static void add(struct counts *sum, const struct counts *one)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
    uint64_t seed = number("SEED", 0), seeds = number("SEEDS", 0), first = number("FIRST", 1), done = 0;
    struct counts sum = {0};

    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    if (seed) {
        sum = run_seed(seed, true);
        done = 1;
    }
    for (; !seed && (seeds ? done < seeds : sum.steps < STEPS_WANTED); done++) {
        struct counts one = run_seed(first + done, false);
        add(&sum, &one);
    }
    fprintf(stderr,
            "%llu seeds, %llu steps: %llu terms, %llu kills, %llu admitted, %llu refused, %llu expands, "
            "%llu contracts, %llu undos, %llu stale, %llu fenced, "
            "%llu self-fenced, %llu statements of purges, %llu restores; %llu sessions, %llu pins refused, "
            "%llu gone by absence, %llu assumed, %llu failovers, %llu of them with loss, %llu forgotten\n",
            (unsigned long long)done, (unsigned long long)sum.steps, (unsigned long long)sum.terms,
            (unsigned long long)sum.kills, (unsigned long long)sum.live, (unsigned long long)sum.refusals,
            (unsigned long long)sum.expands, (unsigned long long)sum.contracts,
            (unsigned long long)sum.undos, (unsigned long long)sum.stale, (unsigned long long)sum.fenced,
            (unsigned long long)sum.self_fenced, (unsigned long long)sum.purges,
            (unsigned long long)sum.restores, (unsigned long long)sum.sessions,
            (unsigned long long)sum.pins_refused, (unsigned long long)sum.unseen,
            (unsigned long long)sum.assumed, (unsigned long long)sum.failovers,
            (unsigned long long)sum.lossy, (unsigned long long)sum.forgotten);
    for (size_t i = 0; i < HOLD_CODES; i++)
        if (sum.held[i])
            fprintf(stderr, "%s: %llu waits\n", gate_code_name((enum gate_code)i),
                    (unsigned long long)sum.held[i]);
    return 0;
}
