/* When pg_stat_statements is read, and when the planner is asked about what it shows. A term counts for
 * itself: who takes over begins anew. */
#include "usage.h"

#include "usage_calls.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

#define TROUBLE_PAUSE_MS 60000    /* between tries where nothing can be read */
#define FRESH_MS 5000             /* a gate opens on a reading so young */
#define IN_A_MOMENT_MS 1000       /* what was seen of sessions will have been looked at again by then */
#define BATCH_BYTES (256 * 1024)  /* of texts that the planner is asked about at once */
#define BATCH_TEXTS 1000

/* ---- what the statements are about ---- */

/* Texts of one migration at the planner. */
struct judging {
    struct coordinator *c;
    int64_t version;
    unsigned term;
    size_t count, bytes;
    const char **texts; /* the entries' */
    char **keys;
};

static void judging_free(struct judging *judging)
{
    for (size_t i = 0; i < judging->count; i++)
        free(judging->keys[i]);
    free((void *)judging->texts);
    free(judging->keys);
    free(judging);
}

static void judge_more(struct coordinator *c);

/* used NULL: the worker could not read them. */
static void on_judged(void *context, const struct plan_used *used)
{
    struct judging *judging = context;
    struct coordinator *c = judging->c;
    struct migration *m = migrations_find(c, judging->version);
    bool current = judging->term == c->rollout.term;

    for (size_t i = 0; current && m && m->usage && i < judging->count; i++) {
        struct usage *u = m->usage;
        struct usage_entry *entry;
        HASH_FIND_STR(u->entries, judging->keys[i], entry);
        if (entry && entry->text && !entry->judged)
            usage_judge(u, entry, used ? used[i] : plan_mentions(entry->text, u->drops, u->drop_count));
    }
    judging_free(judging);
    if (current)
        judge_more(c);
}

static void add_text(struct judging *judging, const struct usage_entry *entry)
{
    judging->texts =
        memory_grow((void *)judging->texts, judging->count + 1, sizeof *judging->texts);
    judging->keys = memory_grow(judging->keys, judging->count + 1, sizeof *judging->keys);
    judging->texts[judging->count] = entry->text;
    judging->keys[judging->count++] = memory_copy(entry->key);
    judging->bytes += strlen(entry->text);
}

static bool judge(struct coordinator *c, const struct migration *m)
{
    const struct usage *u = m->usage;
    struct judging *judging = memory_new(sizeof *judging);

    *judging = (struct judging){.c = c, .version = m->version, .term = c->rollout.term};
    for (const struct usage_entry *entry = u->entries;
         entry && judging->bytes < BATCH_BYTES && judging->count < BATCH_TEXTS; entry = entry->hh.next)
        if (entry->text && !entry->judged)
            add_text(judging, entry);
    if (judging->count == 0) {
        judging_free(judging);
        return false;
    }
    c->env.planner_ops->find_uses(c->env.planner,
                                  &(struct plan_question){.drops = u->drops,
                                                          .drop_count = u->drop_count,
                                                          .texts = judging->texts,
                                                          .text_count = judging->count},
                                  on_judged, judging);
    return true;
}

static void judge_more(struct coordinator *c)
{
    for (const struct migration *m = c->migrations; term_goes_on(c) && m; m = m->by_version.next)
        if (m->usage && judge(c, m))
            return;
    for (struct migration *m = c->migrations; m; m = m->by_version.next)
        if (m->usage)
            usage_choose_holding(m->usage);
    c->usage.reading = false;
    coordinator_changed(c);
    rollout_advance(c);
}

/* ---- reading ---- */

struct reading {
    struct coordinator *c;
    unsigned term;
    bool again; /* for texts of what the one before has shown */
};

static void begin_reading(struct coordinator *c, bool again);

static json_t *wanted_texts(const struct coordinator *c)
{
    json_t *wanted = json_array();

    for (const struct migration *m = c->migrations; m; m = m->by_version.next)
        for (const struct usage_entry *entry = m->usage ? m->usage->entries : NULL; entry;
             entry = entry->hh.next)
            if (usage_lacks_text(entry))
                json_array_append_new(wanted, json_string(entry->shown.id));
    return wanted;
}

static bool lacks_texts(const struct coordinator *c)
{
    bool any = false;
    for (const struct migration *m = c->migrations; m; m = m->by_version.next)
        any |= m->usage && m->usage->unread;
    return any;
}

static void on_read(void *context, const json_t *read)
{
    struct reading reading = *(struct reading *)context;
    struct coordinator *c = reading.c;

    free(context);
    if (reading.term != c->rollout.term)
        return;
    for (struct migration *m = c->migrations; m; m = m->by_version.next)
        if (m->usage && m->usage->tried_boot)
            usage_take_in(m->usage, read, coordinator_now(c));
    if (read && !reading.again && lacks_texts(c) && term_goes_on(c))
        begin_reading(c, true);
    else
        judge_more(c);
}

static void begin_reading(struct coordinator *c, bool again)
{
    const struct config_list *configured = &c->config->gate.app_roles;
    struct reading *reading = memory_new(sizeof *reading);
    json_t *roles = json_array();

    for (size_t i = 0; i < configured->count; i++)
        json_array_append_new(roles, json_string(configured->items[i]));
    for (struct migration *m = c->migrations; m && !again; m = m->by_version.next)
        if (m->usage)
            m->usage->tried_boot = coordinator_now(c).boot_ms;
    *reading = (struct reading){c, c->rollout.term, again};
    c->usage.reading = true;
    c->env.witness_ops->statements(c->env.witness, roles, wanted_texts(c), on_read, reading);
}

/* ---- when ---- */

static int64_t interval_ms(const struct coordinator *c)
{
    int64_t seconds = c->config->gate.witness_interval_seconds;
    return (seconds > 0 ? seconds : 1) * 1000;
}

static int64_t due_boot(const struct coordinator *c, const struct usage *u)
{
    if (u->tried_boot == 0)
        return coordinator_now(c).boot_ms;
    return u->tried_boot + (*u->trouble ? TROUBLE_PAUSE_MS : interval_ms(c));
}

int64_t usage_due_boot(const struct coordinator *c)
{
    int64_t due = 0;

    if (!term_goes_on(c) || c->usage.reading)
        return 0;
    for (const struct migration *m = c->migrations; m; m = m->by_version.next) {
        if (!m->usage || m->phase != PHASE_EXPANDED)
            continue;
        int64_t at = due_boot(c, m->usage);
        due = due == 0 || at < due ? at : due;
    }
    return due;
}

static bool takes_names_away(const struct migration *m)
{
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == PLAN_CONTRACT && m->steps[i].work.drop_count > 0)
            return true;
    return false;
}

/* A contract that has nothing to wait for once its fleet has moved has nothing to compare, and is not kept
 * waiting: nor is one that only the next look at the last replica's sessions holds. */
static bool goes_on_waiting(const struct coordinator *c, const struct migration *m,
                            const struct gate_facts *facts)
{
    if (gate_evaluate(facts, NULL, NULL) == 0)
        return false;
    return coordinator_now(c).boot_ms - m->soak_from_boot >= IN_A_MOMENT_MS || !facts_hang_on_sight(c, m);
}

static void follow(const struct coordinator *c, struct migration *m)
{
    struct gate_facts facts;

    if (m->phase == PHASE_CONTRACTING)
        return; /* the verdict behind the fence rests on the reading before it */
    if (m->phase != PHASE_EXPANDED || !takes_names_away(m)) {
        usage_forget(m);
        return;
    }
    facts_of_memory(c, m, &facts);
    if (gate_behind(&facts) > 0)
        usage_forget(m);
    else if (!m->usage && goes_on_waiting(c, m, &facts))
        usage_begin(m);
}

void usage_follow(struct coordinator *c)
{
    for (struct migration *m = c->migrations; m; m = m->by_version.next)
        follow(c, m);
    int64_t due = usage_due_boot(c);
    if (due && due <= coordinator_now(c).boot_ms)
        begin_reading(c, false);
}

bool usage_is_current(struct coordinator *c, const struct migration *m)
{
    if (!m->usage || m->phase != PHASE_EXPANDED)
        return true;
    if (c->usage.reading)
        return false;
    int64_t age = coordinator_now(c).boot_ms - m->usage->tried_boot;
    if (m->usage->tried_boot && age < FRESH_MS && age < interval_ms(c))
        return true;
    begin_reading(c, false);
    return false;
}

void usage_reset(struct coordinator *c)
{
    c->usage.reading = false;
    for (struct migration *m = c->migrations; m; m = m->by_version.next)
        usage_forget(m);
}
