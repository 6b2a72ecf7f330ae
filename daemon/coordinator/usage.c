/* What pg_stat_statements shows. A term counts for itself: who takes over begins anew. */
#include "usage.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TROUBLE_PAUSE_MS 60000    /* between tries where nothing can be read */
#define FRESH_MS 5000             /* a gate opens on a reading so young */
#define IN_A_MOMENT_MS 1000       /* what was seen of sessions will have been looked at again by then */
#define BATCH_BYTES (256 * 1024)  /* of texts that the planner is asked about at once */
#define BATCH_TEXTS 1000
#define SHOWN_BYTES 120           /* of a statement's text */

/* A statement of one role. */
struct entry {
    struct used_statement shown;
    UT_hash_handle hh;
    int64_t calls;     /* as the last reading had them */
    int64_t seen_boot; /* when calls were noticed last; 0: none since the fleet moved */
    bool judged;       /* shown.use is known */
    char *text;        /* owned: all of it until it is judged, then its start; NULL: not asked for yet */
    char key[];        /* "id role" */
};

struct usage {
    struct plan_drop *drops; /* the array is owned, what it points to is the steps' */
    size_t drop_count;
    struct entry *entries;
    struct gate_statement *holding;
    size_t holding_count;
    bool based;          /* there is a reading to compare with */
    bool reset;          /* the statistics were, since then */
    bool unread;         /* texts were not shown */
    int64_t lost_before, lost; /* statements thrown out: at the first reading, and since; -1 not known */
    int64_t tried_boot;  /* 0: never */
    int64_t read_boot, since_wall, read_wall;
    char reset_at[40], trouble[200];
};

/* ---- one migration's ---- */

static void forget_entries(struct usage *u)
{
    struct entry *entry, *next;

    HASH_ITER(hh, u->entries, entry, next)
    {
        HASH_DEL(u->entries, entry);
        free(entry->text);
        free(entry);
    }
    free(u->holding);
    u->holding = NULL;
    u->holding_count = 0;
    u->based = u->reset = u->unread = false;
}

void usage_forget(struct migration *m)
{
    if (!m->usage)
        return;
    forget_entries(m->usage);
    free(m->usage->drops);
    free(m->usage);
    m->usage = NULL;
}

void usage_reset(struct coordinator *c)
{
    c->usage.reading = false;
    for (struct migration *m = c->migrations; m; m = m->by_version.next)
        usage_forget(m);
}

static void begin(struct migration *m)
{
    struct usage *u = memory_new(sizeof *u);

    for (size_t i = 0; i < m->step_count; i++) {
        const struct plan_work *work = &m->steps[i].work;
        if (m->steps[i].section != PLAN_CONTRACT || work->drop_count == 0)
            continue;
        u->drops = memory_grow(u->drops, u->drop_count + work->drop_count, sizeof *u->drops);
        memcpy(u->drops + u->drop_count, work->drops, work->drop_count * sizeof *u->drops);
        u->drop_count += work->drop_count;
    }
    m->usage = u;
}

static bool takes_names_away(const struct migration *m)
{
    for (size_t i = 0; i < m->step_count; i++)
        if (m->steps[i].section == PLAN_CONTRACT && m->steps[i].work.drop_count > 0)
            return true;
    return false;
}

const struct gate_statement *usage_statements(const struct migration *m, size_t *count)
{
    *count = m->usage ? m->usage->holding_count : 0;
    return m->usage ? m->usage->holding : NULL;
}

/* ---- taking in ---- */

static struct entry *add_entry(struct usage *u, const char *id, const char *role)
{
    size_t size = strlen(id) + strlen(role) + 2;
    struct entry *entry = memory_new(sizeof *entry + 2 * size);

    snprintf(entry->key, size, "%s %s", id, role);
    memcpy(entry->key + size, entry->key, size);
    entry->key[size + strlen(id)] = '\0';
    entry->shown.id = entry->key + size;
    entry->shown.role = entry->key + size + strlen(id) + 1;
    HASH_ADD_STR(u->entries, key, entry);
    return entry;
}

/* Fewer calls than before: it was thrown out, or all was reset, and it has come back since. */
static void note_calls(struct entry *entry, int64_t calls, struct instant now)
{
    if (calls == entry->calls)
        return;
    entry->shown.calls += calls > entry->calls ? calls - entry->calls : calls;
    entry->calls = calls;
    entry->seen_boot = now.boot_ms;
    entry->shown.seen_wall = now.wall_ms;
}

static void read_row(struct usage *u, const json_t *row, struct instant now)
{
    const char *id = json_string_value(json_array_get(row, 0));
    const char *role = json_string_value(json_array_get(row, 1));
    int64_t calls = json_integer_value(json_array_get(row, 2));
    char *key = memory_printf("%s %s", id, role);
    struct entry *entry;

    HASH_FIND_STR(u->entries, key, entry);
    free(key);
    if (!entry)
        entry = add_entry(u, id, role);
    if (u->based)
        note_calls(entry, calls, now);
    else
        entry->calls = calls;
}

static bool lacks_text(const struct entry *entry)
{
    return entry->seen_boot && !entry->judged && !entry->text;
}

static void take_texts(struct usage *u, const json_t *texts)
{
    u->unread = false;
    for (struct entry *entry = u->entries; entry; entry = entry->hh.next) {
        const char *text = json_string_value(json_object_get(texts, entry->shown.id));
        bool wanted = lacks_text(entry);
        if (wanted && text)
            entry->text = memory_copy(text);
        u->unread |= wanted && !text;
    }
}

static void note_gaps(struct usage *u, const json_t *read)
{
    const char *reset_at = record_text(read, "reset_at");
    int64_t lost = record_number(read, "lost");

    if (!u->based) {
        snprintf(u->reset_at, sizeof u->reset_at, "%s", reset_at);
        u->lost_before = lost;
        u->lost = lost < 0 ? -1 : 0;
    } else if (strcmp(reset_at, u->reset_at) != 0 || lost < u->lost_before) {
        u->reset = true;
    } else if (lost >= 0) {
        u->lost = lost - u->lost_before;
    }
}

/* read NULL: the connection went away, or it took too long. What was in use may still be. */
static void take_in(struct usage *u, const json_t *read, struct instant now)
{
    const char *trouble = read ? record_text(read, "trouble") : "the database did not answer";
    const json_t *row;
    size_t i;

    snprintf(u->trouble, sizeof u->trouble, "%s", trouble);
    if (*trouble) {
        if (read)
            forget_entries(u);
        return;
    }
    note_gaps(u, read);
    json_array_foreach(json_object_get(read, "statements"), i, row)
    {
        read_row(u, row, now);
    }
    take_texts(u, json_object_get(read, "texts"));
    if (!u->based)
        u->since_wall = now.wall_ms;
    u->based = true;
    u->read_boot = now.boot_ms;
    u->read_wall = now.wall_ms;
}

/* As of the last reading: while none can be had, nothing becomes quiet. */
static void choose_holding(struct usage *u)
{
    u->holding_count = 0;
    for (struct entry *entry = u->entries; entry; entry = entry->hh.next) {
        bool called = entry->seen_boot && u->read_boot - entry->seen_boot < USAGE_QUIET_MS;
        if (!called || !entry->judged || entry->shown.use == USE_NONE)
            continue;
        u->holding = memory_grow(u->holding, u->holding_count + 1, sizeof *u->holding);
        u->holding[u->holding_count++] = (struct gate_statement){entry->shown.id, &entry->shown};
    }
}

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

/* Its start, in one line. Whole characters only. */
static void shorten(char *text)
{
    size_t length = strnlen(text, SHOWN_BYTES);

    while (text[length] && length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    text[length] = '\0';
    for (char *at = text; *at; at++)
        if (isspace((unsigned char)*at))
            *at = ' ';
}

static void judge_entry(struct usage *u, struct entry *entry, struct plan_used used)
{
    entry->judged = true;
    entry->shown.use = used.use;
    entry->shown.drop = &u->drops[used.drop];
    shorten(entry->text);
    entry->shown.text = entry->text;
    if (used.use != USE_NONE)
        return;
    free(entry->text);
    entry->text = NULL;
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
        struct entry *entry;
        HASH_FIND_STR(u->entries, judging->keys[i], entry);
        if (entry && entry->text && !entry->judged)
            judge_entry(u, entry, used ? used[i] : plan_mentions(entry->text, u->drops, u->drop_count));
    }
    judging_free(judging);
    if (current)
        judge_more(c);
}

static void add_text(struct judging *judging, const struct entry *entry)
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
    for (const struct entry *entry = u->entries;
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
            choose_holding(m->usage);
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
        for (const struct entry *entry = m->usage ? m->usage->entries : NULL; entry;
             entry = entry->hh.next)
            if (lacks_text(entry))
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
            take_in(m->usage, read, coordinator_now(c));
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
        begin(m);
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

/* ---- for people ---- */

json_t *coordinator_statements(const struct migration *m)
{
    const struct usage *u = m->usage;
    char note[320] = "";

    if (!u || u->tried_boot == 0)
        return json_null();
    if (*u->trouble)
        snprintf(note, sizeof note, "%s", u->trouble);
    else if (u->reset)
        snprintf(note, sizeof note, "the statistics were reset meanwhile: calls before that were not seen");
    else if (u->lost > 0)
        snprintf(note, sizeof note,
                 "%lld statements were thrown out meanwhile (pg_stat_statements.max): calls of those may not "
                 "have been seen", (long long)u->lost);
    else if (u->unread)
        snprintf(note, sizeof note, "the server does not show the texts of some statements");
    return json_pack("{s:o, s:o, s:I, s:s}", "since", record_time_value(u->based ? u->since_wall : 0),
                     "read_at", record_time_value(u->based ? u->read_wall : 0), "in_use",
                     (json_int_t)u->holding_count, "note", note);
}
