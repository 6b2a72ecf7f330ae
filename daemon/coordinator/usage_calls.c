/* The statements of one migration, reading by reading. */
#include "usage_calls.h"

#include "record.h"

#include <schemagate/base/memory.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 120 /* of a statement's text */

static void forget_entries(struct usage *u)
{
    struct usage_entry *entry, *next;

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

void usage_begin(struct migration *m)
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

const struct gate_statement *usage_statements(const struct migration *m, size_t *count)
{
    *count = m->usage ? m->usage->holding_count : 0;
    return m->usage ? m->usage->holding : NULL;
}

/* ---- taking in ---- */

static struct usage_entry *add_entry(struct usage *u, const char *id, const char *role)
{
    size_t size = strlen(id) + strlen(role) + 2;
    struct usage_entry *entry = memory_new(sizeof *entry + 2 * size);

    snprintf(entry->key, size, "%s %s", id, role);
    memcpy(entry->key + size, entry->key, size);
    entry->key[size + strlen(id)] = '\0';
    entry->shown.id = entry->key + size;
    entry->shown.role = entry->key + size + strlen(id) + 1;
    HASH_ADD_STR(u->entries, key, entry);
    return entry;
}

/* Fewer calls than before: it was thrown out, or all was reset, and it has come back since. */
static void note_calls(struct usage_entry *entry, int64_t calls, struct instant now)
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
    struct usage_entry *entry;

    HASH_FIND_STR(u->entries, key, entry);
    free(key);
    if (!entry)
        entry = add_entry(u, id, role);
    if (u->based)
        note_calls(entry, calls, now);
    else
        entry->calls = calls;
}

bool usage_lacks_text(const struct usage_entry *entry)
{
    return entry->seen_boot && !entry->judged && !entry->text;
}

static void take_texts(struct usage *u, const json_t *texts)
{
    u->unread = false;
    for (struct usage_entry *entry = u->entries; entry; entry = entry->hh.next) {
        const char *text = json_string_value(json_object_get(texts, entry->shown.id));
        bool wanted = usage_lacks_text(entry);
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

void usage_take_in(struct usage *u, const json_t *read, struct instant now)
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

void usage_choose_holding(struct usage *u)
{
    u->holding_count = 0;
    for (struct usage_entry *entry = u->entries; entry; entry = entry->hh.next) {
        bool called = entry->seen_boot && u->read_boot - entry->seen_boot < USAGE_QUIET_MS;
        if (!called || !entry->judged || entry->shown.use == USE_NONE)
            continue;
        u->holding = memory_grow(u->holding, u->holding_count + 1, sizeof *u->holding);
        u->holding[u->holding_count++] = (struct gate_statement){entry->shown.id, &entry->shown};
    }
}

/* ---- what the statements are about ---- */

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

void usage_judge(struct usage *u, struct usage_entry *entry, struct plan_used used)
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
