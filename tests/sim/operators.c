/* Operators and deploy tools: they submit, correct, approve, pause, undo, cancel; they evict and attest, but
 * only what has really ended. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static void tell(struct sim *s, struct message *m)
{
    m->process = -1;
    for (size_t daemon = 0; daemon < DAEMONS; daemon++)
        if (s->calm || chance_percent(s, 70))
            network_send(s, m, daemon);
}

/* ---- migrations ---- */

static void draw_sections(struct sim *s, struct blueprint *b)
{
    b->statements[PLAN_EXPAND] = (int)chance_between(s, chance_percent(s, 10) ? 0 : 1, 3);
    b->statements[PLAN_BACKFILL] = chance_percent(s, 30) ? (int)chance_between(s, 1, 2) : -1;
    b->statements[PLAN_CONTRACT] = chance_percent(s, 75) ? (int)chance_between(s, 1, 3) : -1;
    b->statements[PLAN_UNDO] = chance_percent(s, 70) ? (int)chance_between(s, 0, 3) : -1;
    b->alone = 0;
    for (enum plan_section section = 0; section < PLAN_SECTIONS; section++)
        if (chance_percent(s, s->profile.alone))
            b->alone |= 1u << section;
    b->together = chance_percent(s, 50);
    b->batched = chance_percent(s, 50) && !(b->alone & (1u << PLAN_BACKFILL));
}

static void draw_plan(struct sim *s, struct blueprint *b)
{
    draw_sections(s, b);
    b->keep = chance_percent(s, 40);
    b->manual = chance_percent(s, 20);
    b->soak_seconds = chance_percent(s, 20) ? chance_between(s, 1, 40) : 0;
    b->requires = chance_percent(s, 10) && s->blueprint_count > 1
                      ? s->blueprints[chance_between(s, 0, (int64_t)s->blueprint_count - 2)].version
                      : 0;
    truth_write_text(b);
}

static void send_plan(struct sim *s, struct blueprint *b)
{
    struct message m = {.request = REQUEST_SUBMIT, .version = b->version};
    memcpy(m.text, b->text, sizeof m.text);
    b->submitted = true;
    tell(s, &m);
}

static void submit(struct sim *s)
{
    if (s->blueprint_count == MIGRATIONS)
        return;
    struct blueprint *b = &s->blueprints[s->blueprint_count++];
    *b = (struct blueprint){
        .version = b == s->blueprints ? chance_between(s, 1, 9) : b[-1].version + chance_between(s, 1, 2)};
    draw_plan(s, b);
    send_plan(s, b);
}

/* Another text for what was cancelled or has failed before anything of it was committed; nobody sends the old
 * one any more. */
static bool may_be_corrected(const struct sim *s, const struct blueprint *b)
{
    const json_t *row = rows_migration(&s->rows, b->version);
    const char *phase = rows_text(row, "phase");
    return row && (strcmp(phase, "cancelled") == 0 ||
                   (strcmp(phase, "queued") == 0 && json_is_true(json_object_get(row, "failed"))));
}

static void submit_again(struct sim *s, struct blueprint *b)
{
    if (may_be_corrected(s, b) && chance_percent(s, 50) && !b->executed[PLAN_EXPAND]) {
        /* Both texts stay known: what runs is told by its text's revision. */
        struct message m = {.request = REQUEST_SUBMIT, .version = b->version};
        b->revision++;
        truth_write_text(b);
        memcpy(m.text, b->text, sizeof m.text);
        tell(s, &m);
    } else {
        send_plan(s, b);
    }
}

static void act(struct sim *s, int64_t version, enum machine_event event)
{
    struct message m = {.request = REQUEST_ACT, .version = version, .event = event};
    sim_trace(s, "an operator: %s %lld", machine_event_name(event), (long long)version);
    tell(s, &m);
}

static void act_somehow(struct sim *s, const struct blueprint *b)
{
    static const struct {
        enum machine_event event;
        int64_t weight;
    } acts[] = {{EVENT_APPROVE, 25}, {EVENT_PAUSE, 10}, {EVENT_RESUME, 20},  {EVENT_RETRY, 20},
                {EVENT_UNDO, 10},    {EVENT_CANCEL, 5}, {EVENT_RESTORE, 10}};
    int64_t dice = chance_between(s, 0, 99);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if ((dice -= acts[i].weight) < 0) {
            act(s, b->version, acts[i].event);
            return;
        }
    }
}

/* ---- replicas that have ended ---- */

static void remove_row(struct sim *s, const json_t *row)
{
    struct message m = {.request = chance_percent(s, 50) ? REQUEST_EVICT : REQUEST_ATTEST};
    snprintf(m.app, sizeof m.app, "%s", rows_text(row, "app"));
    snprintf(m.instance, sizeof m.instance, "%s", rows_text(row, "instance"));
    snprintf(m.incarnation, sizeof m.incarnation, "%s", rows_text(row, "incarnation"));
    tell(s, &m);
}

static void remove_dead(struct sim *s, size_t at_most)
{
    const char *key;
    const json_t *row;
    json_object_foreach(s->rows.tables[ROWS_REPLICAS], key, row)
    {
        const struct process *p = fleet_find(s, rows_text(row, "incarnation"));
        if (strcmp(rows_text(row, "state"), "gone") == 0 || p)
            continue;
        if (at_most-- == 0)
            return;
        remove_row(s, row);
    }
}

/* ---- applications ---- */

static void record_compatible(struct sim *s)
{
    const struct process *p = &s->processes[chance_between(s, 0, PROCESSES - 1)];
    struct message m = {.request = REQUEST_COMPATIBLE, .true_max = p->true_max};
    if (p->state == PROCESS_DEAD || p->true_max <= p->range.max)
        return;
    snprintf(m.app, sizeof m.app, "%s", app_names[p->app]);
    memcpy(m.release, p->release, sizeof m.release);
    tell(s, &m);
}

static void declare(struct sim *s, size_t app, bool desired, int64_t min_replicas)
{
    struct message m = {.request = REQUEST_APP, .flag = desired, .number = min_replicas};
    snprintf(m.app, sizeof m.app, "%s", app_names[app]);
    if (s->blueprint_count)
        m.range.max = s->blueprints[chance_between(s, 0, (int64_t)s->blueprint_count - 1)].version;
    tell(s, &m);
}

static void retire(struct sim *s)
{
    struct message m = {.request = REQUEST_RETIRE};
    snprintf(m.app, sizeof m.app, "%s", app_names[APPS - 1]);
    tell(s, &m);
}

static void pause_all(struct sim *s, bool paused)
{
    struct message m = {.request = REQUEST_PAUSE_ALL, .flag = paused};
    tell(s, &m);
}

/* ---- the hours in which a restore is possible ---- */

/* They pass while no daemon leads: what is stored of them is what the next term begins with. */
static void let_hours_pass(struct sim *s)
{
    const char *key;
    json_t *row;
    bool any = false;

    json_object_foreach(s->rows.tables[ROWS_MIGRATIONS], key, row)
    {
        struct blueprint *b = truth_find(s, rows_number(row, "version"));
        if (strcmp(rows_text(row, "phase"), "hidden") != 0 || b->hours_passed)
            continue;
        json_object_set_new(row, "soak_elapsed_ms", json_integer(3600 * 1000));
        any = b->hours_passed = true;
    }
    if (any)
        server_restart(s);
}

static void restore_something(struct sim *s)
{
    const char *key;
    const json_t *row;
    json_object_foreach(s->rows.tables[ROWS_MIGRATIONS], key, row)
    {
        bool hidden = strcmp(rows_text(row, "phase"), "hidden") == 0;
        if (hidden && chance_percent(s, 50))
            act(s, rows_number(row, "version"), EVENT_RESTORE);
    }
}

/* ---- their days ---- */

static void work(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    int64_t dice = chance_between(s, 0, 99);
    struct blueprint *b =
        s->blueprint_count ? &s->blueprints[chance_between(s, 0, (int64_t)s->blueprint_count - 1)] : NULL;

    if (dice < 10 && b)
        act(s, s->blueprints[s->blueprint_count - 1].version, EVENT_UNDO);
    else if (dice < 40 && b)
        act_somehow(s, b);
    else if (dice < 41)
        let_hours_pass(s);
    else if (dice < 58)
        restore_something(s);
    else if (dice < 75)
        remove_dead(s, 3);
    else if (dice < 80)
        record_compatible(s);
    else if (dice < 85)
        declare(s, (size_t)chance_between(s, 0, APPS - 1), chance_percent(s, 20),
                chance_percent(s, 50) ? 0 : chance_between(s, 0, 2));
    else if (dice < 87)
        retire(s);
    else if (dice < 92)
        pause_all(s, chance_percent(s, 30));
    else if (b)
        submit_again(s, b);
    queue_add(s, s->now + chance_between(s, 1, 2 * s->profile.operator_every), work, NULL);
}

static void release(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    submit(s);
    queue_add(s, s->now + chance_between(s, 1, 2 * s->profile.submit_every), release, NULL);
}

static void adopt(struct sim *s)
{
    struct message m = {.request = REQUEST_BASELINE, .version = chance_between(s, 1, 3)};
    tell(s, &m);
}

void operators_begin(struct sim *s)
{
    if (chance_percent(s, 15))
        adopt(s);
    queue_add(s, s->now + chance_between(s, 100, 3000), release, NULL);
    queue_add(s, s->now + 500, work, NULL);
}

/* What is queued above an undo that has begun waits for it, and the other way round. */
static bool stands_above_undo(const struct sim *s, int64_t version)
{
    int64_t undoing = rows_window(&s->rows).undoing;
    return undoing && undoing < version;
}

static void complete(struct sim *s, const json_t *row)
{
    int64_t version = rows_number(row, "version");
    const char *phase = rows_text(row, "phase");
    const json_t *needed = rows_migration(&s->rows, rows_number(row, "requires"));
    bool undoing = strcmp(phase, "undoing") == 0, fenced = rows_window(&s->rows).undoing == version;
    bool hopeless = stands_above_undo(s, version) ||
                    (rows_number(row, "requires") &&
                     strcmp(rows_text(needed, "phase"), "complete") != 0 && chance_percent(s, 10));

    if (json_is_true(json_object_get(row, "paused")))
        act(s, version, EVENT_RESUME);
    if (strcmp(rows_text(row, "approval"), "manual") == 0)
        act(s, version, EVENT_APPROVE);
    if (undoing && !fenced && chance_percent(s, 10))
        act(s, version, EVENT_CANCEL);
    else if (json_is_true(json_object_get(row, "failed")))
        act(s, version, EVENT_RETRY);
    else if (strcmp(phase, "queued") == 0 && hopeless)
        act(s, version, EVENT_CANCEL);
}

void operators_clean_up(struct sim *s)
{
    const char *key;
    const json_t *row;
    json_object_foreach(s->rows.tables[ROWS_MIGRATIONS], key, row)
    {
        enum phase phase = PHASE_QUEUED;
        phase_parse(rows_text(row, "phase"), &phase);
        if (!phase_is_final(phase))
            complete(s, row);
    }
    if (s->server.down_until <= s->now)
        let_hours_pass(s);
    if (json_is_true(json_object_get(s->rows.window, "paused")))
        pause_all(s, false);
    for (size_t app = 0; app < APPS; app++)
        declare(s, app, false, 0);
    remove_dead(s, 100);
}
