/* Faults: at any step, as often as the seed's profile says. */
#include "sim.h"

static void kill_daemon(struct sim *s, size_t daemon)
{
    if (chance_percent(s, 70))
        daemon_kill(s, daemon);
    else
        daemon_stop(s, daemon);
}

static void pause_daemon(struct sim *s, size_t daemon)
{
    int64_t ms = chance_percent(s, 50) ? chance_between(s, 1, 200) : chance_between(s, 200, 20000);
    daemon_pause(s, daemon, ms);
    if (s->daemons[daemon].link)
        link_fall_silent(s, s->daemons[daemon].link);
}

static void cut_database(struct sim *s, size_t daemon)
{
    struct daemon *d = &s->daemons[daemon];
    /* Sometimes for longer than a successor counts leases. */
    d->database_cut_until = s->now + chance_between(s, 10, chance_one_in(s, 4) ? 60000 : 20000);
    if (d->link)
        link_fall_silent(s, d->link);
    sim_trace(s, "daemon %zu is cut off from the database for %lld ms", daemon,
              (long long)(d->database_cut_until - s->now));
}

static void cut_network(struct sim *s, size_t daemon)
{
    s->daemons[daemon].network_cut_until = s->now + chance_between(s, 10, 20000);
}

static void cut_both(struct sim *s, size_t daemon)
{
    cut_database(s, daemon);
    cut_network(s, daemon);
}

static void step_clock(struct sim *s, size_t daemon)
{
    s->daemons[daemon].wall_offset += chance_between(s, -86400000, 86400000);
}

static void restart_database(struct sim *s, size_t daemon)
{
    (void)daemon;
    server_restart(s);
}

static void fail_over(struct sim *s, size_t daemon)
{
    (void)daemon;
    failover_begin(s);
}

static void strike(struct sim *s, void *context)
{
    static const struct {
        void (*fault)(struct sim *s, size_t daemon);
        int64_t weight;
    } faults[] = {{kill_daemon, 30}, {pause_daemon, 25},     {cut_database, 15}, {cut_network, 8},
                  {cut_both, 7},     {restart_database, 7},  {step_clock, 5},     {fail_over, 3}};
    int64_t dice = chance_between(s, 0, 99);

    (void)context;
    if (s->over || s->calm)
        return;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if ((dice -= faults[i].weight) < 0) {
            faults[i].fault(s, (size_t)chance_between(s, 0, DAEMONS - 1));
            break;
        }
    }
    queue_add(s, s->now + chance_between(s, 1, 2 * s->profile.fault_every), strike, NULL);
}

void faults_begin(struct sim *s)
{
    if (s->profile.fault_every)
        queue_add(s, s->now + chance_between(s, 1, s->profile.fault_every), strike, NULL);
}

void faults_end(struct sim *s)
{
    for (size_t i = 0; i < DAEMONS; i++) {
        struct daemon *d = &s->daemons[i];
        d->paused_until = d->database_cut_until = d->network_cut_until = 0;
    }
    s->server.down_until = 0;
}
