/* Failover: the daemons' sessions end, the timeline is another, and what the standby had not received is
 * lost: what was written down, and what was done. Sessions of applications end, or go on with the old server
 * for a while. */
#include "link.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

struct backup {
    struct rows rows;
    struct blueprint blueprints[MIGRATIONS];
    size_t count;
    int64_t epoch;
    uint64_t nonce;
};

void failover_free(struct backup *backup)
{
    if (!backup)
        return;
    rows_close(&backup->rows);
    free(backup);
}

static struct backup *take_backup(const struct sim *s)
{
    struct backup *backup = memory_new(sizeof *backup);
    backup->rows.window = json_deep_copy(s->rows.window);
    for (size_t i = 0; i < ROWS_TABLES; i++)
        backup->rows.tables[i] = json_deep_copy(s->rows.tables[i]);
    backup->rows.last_event = s->rows.last_event;
    memcpy(backup->blueprints, s->blueprints, sizeof backup->blueprints);
    backup->count = s->blueprint_count;
    backup->epoch = s->server.epoch;
    backup->nonce = s->server.nonce;
    return backup;
}

/* A text that was corrected meanwhile would come back, and what runs is told by its text here. */
static bool can_be_lost(const struct sim *s, const struct backup *backup)
{
    for (size_t i = 0; i < backup->count; i++)
        if (backup->blueprints[i].revision != s->blueprints[i].revision)
            return false;
    return true;
}

static void restore(struct sim *s, struct backup *backup)
{
    struct rows rows = s->rows;

    s->rows = backup->rows;
    backup->rows = rows;
    memcpy(s->blueprints, backup->blueprints, backup->count * sizeof *s->blueprints);
    for (size_t i = backup->count; i < s->blueprint_count; i++) {
        memset(s->blueprints[i].executed, 0, sizeof s->blueprints[i].executed);
        s->blueprints[i].undone = s->blueprints[i].hours_passed = false;
        s->blueprints[i].filled = 0;
    }
    s->server.epoch = backup->epoch;
    s->server.nonce = backup->nonce;
}

static bool is_registered(const struct sim *s, const struct process *p)
{
    char instance[16];
    snprintf(instance, sizeof instance, "i%zu", p->instance);
    const json_t *row = rows_replica(&s->rows, app_names[p->app], instance, p->incarnation);
    const char *state = rows_text(row, "state");
    return strcmp(state, "live") == 0 || strcmp(state, "lost") == 0;
}

bool failover_has_lost(const struct sim *s, const struct process *p)
{
    return p->started_at <= s->server.lost_at && !is_registered(s, p);
}

static void forget_registrations(struct sim *s)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        struct process *p = &s->processes[i];
        if (p->state != PROCESS_RUNNING || p->given_up || is_registered(s, p))
            continue;
        sim_trace(s, "the failover has lost the registration of %s", p->incarnation);
        p->given_up = GIVEN_UP_FORGOTTEN;
        s->counts.forgotten++;
    }
}

static void promote(struct sim *s, void *context)
{
    struct backup *backup = s->server.backup;

    (void)context;
    s->server.backup = NULL;
    if (s->over || s->calm) {
        failover_free(backup);
        return;
    }
    server_stop(s, 3000);
    bool loses = can_be_lost(s, backup) && chance_percent(s, 70);
    sim_trace(s, "the database fails over%s", loses ? ", and some of it is lost" : "");
    if (loses)
        restore(s, backup);
    failover_free(backup);
    s->server.timeline++;
    s->server.failed_over_at = s->now;
    s->counts.failovers++;
    s->counts.lossy += loses;
    if (loses) {
        s->server.lost_at = s->now;
        forget_registrations(s);
    }
    sessions_fail_over(s);
    standbys_fail_over(s, loses);
    s->look = true;
}

void failover_begin(struct sim *s)
{
    if (s->server.backup)
        return;
    s->server.backup = take_backup(s);
    queue_add(s, s->now + chance_between(s, 1, chance_percent(s, 50) ? 300 : 4000), promote, NULL);
}
