/* Findings with their place in the file; phases, transactions, statements, locks. */
#include "render_plan.h"

#include "output.h"
#include "render.h"
#include "text.h"

#include <schemagate/plan/work.h>

#include <inttypes.h>
#include <string.h>

static bool is_true(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

/* ---- findings ---- */

/* The bytes of line `number` (from 1), without its end; NULL where there is no such line. */
static const char *find_line(const struct plan_text *text, int64_t number, size_t *length)
{
    const char *at = text->sql, *end = text->sql + text->length;
    for (; number > 1 && at; number--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return NULL;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *length = (size_t)((stop ? stop : end) - at);
    if (*length && at[*length - 1] == '\r')
        --*length;
    return at;
}

enum { SHOWN_BEFORE = 60, SHOWN_BEHIND = 60 };

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* The bytes that `count` characters from `at` on take. */
static size_t skip_characters(const char *at, size_t left, int64_t count)
{
    size_t n = 0;
    for (; n < left && (count > 0 || !begins_character(at[n])); n++)
        if (n + 1 == left || begins_character(at[n + 1]))
            count--;
    return n;
}

static void append_cleaned(struct buf *out, const char *bytes, size_t length)
{
    struct buf part = BUF_INIT(0);
    buf_append(&part, bytes, length);
    text_clean(out, buf_text(&part));
    buf_free(&part);
}

/* The line with a caret below the column; of a long line the part around it. */
static void append_source(struct buf *out, const struct plan_text *text, int64_t line, int64_t column)
{
    size_t length;
    const char *bytes = find_line(text, line, &length);
    if (!bytes || column < 1)
        return;
    int64_t from = column > SHOWN_BEFORE ? column - SHOWN_BEFORE : 1;
    size_t skipped = skip_characters(bytes, length, from - 1);
    size_t before = skip_characters(bytes + skipped, length - skipped, column - from);
    size_t shown =
        before + skip_characters(bytes + skipped + before, length - skipped - before, SHOWN_BEHIND);
    bool cut = skipped > 0;

    buf_printf(out, "%6" PRId64 " | %s", line, cut ? "…" : "");
    append_cleaned(out, bytes + skipped, shown);
    buf_puts(out, skipped + shown < length ? "…\n" : "\n");
    buf_printf(out, "       | %*s^\n", (int)(column - from) + (cut ? 1 : 0), "");
}

static void append_labelled(struct buf *out, const char *label, const char *text)
{
    if (!*text)
        return;
    buf_printf(out, "  %s: ", label);
    text_clean(out, text);
    buf_puts(out, "\n");
}

static void append_finding(struct buf *out, const json_t *finding, const struct plan_text *text,
                           bool colour)
{
    int64_t line = render_number(finding, "line"), column = render_number(finding, "column");
    bool allowed = is_true(finding, "allowed");

    text_clean(out, text->label);
    if (line > 0)
        buf_printf(out, ":%" PRId64 ":%" PRId64, line, column);
    buf_puts(out, ": ");
    output_word(out, allowed ? "allowed" : render_text(finding, "severity"), colour);
    buf_puts(out, ": ");
    output_bold(out, render_text(finding, "message"), colour);
    text_after(out, "  [", render_text(finding, "id"));
    buf_puts(out, "]\n");
    if (line > 0)
        append_source(out, text, line, column);
    if (allowed) {
        append_labelled(out, "allowed because", render_text(finding, "allow_reason"));
        return;
    }
    append_labelled(out, "why", render_text(finding, "why"));
    append_labelled(out, "fix", render_text(finding, "fix"));
}

size_t render_plan_errors(const json_t *plan)
{
    size_t n, errors = 0;
    json_t *finding;
    json_array_foreach(json_object_get(plan, "findings"), n, finding) {
        errors += strcmp(render_text(finding, "severity"), "error") == 0 && !is_true(finding, "allowed");
    }
    return errors;
}

/* ---- what would run ---- */

/* What each phase means, in the order in which people read them. */
static const struct {
    const char *phase, *about;
} phases[] = {
    {"expand", "runs at once; the code that runs now goes on working"},
    {"backfill", "runs behind it, in batches where it can"},
    {"contract", "waits at the gate until no replica needs the old schema"},
    {"purge", "removes for good what the contract has hidden, when its time is over"},
    {"restore", "brings back what the contract has hidden, on request"},
    {"undo", "takes the expand back, on request"},
};

/* What a lock does to others, by its mode; the first row that the mode reaches counts. */
static const struct {
    enum plan_lock mode;
    const char *means;
} meanings[] = {
    {LOCK_ACCESS_EXCLUSIVE, "nobody else reads or writes it"},
    {LOCK_EXCLUSIVE, "others read it, writers wait"},
    {LOCK_SHARE, "others read it, writers wait"},
    {LOCK_NONE, "others read and write it"},
};

static const char *meaning_of(const char *name)
{
    enum plan_lock mode;
    size_t n = 0;
    if (!plan_lock_parse(name, &mode))
        return "";
    while (mode < meanings[n].mode)
        n++;
    return meanings[n].means;
}

static const char *duration_of(const json_t *step)
{
    static const struct {
        const char *kind, *lasts;
    } kinds[] = {
        {"batched", "for one batch at a time"},
        {"index", "for as long as it runs"},
    };
    for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
        if (strcmp(kinds[n].kind, render_text(step, "kind")) == 0)
            return kinds[n].lasts;
    return is_true(step, "transactional") ? "until its transaction ends" : "for as long as it runs";
}

#define INDENT "       "

/* Each line of a text, indented below the first. */
static void append_sql(struct buf *out, const char *sql)
{
    while (*sql) {
        size_t length = strcspn(sql, "\n");
        append_cleaned(out, sql, length);
        sql += length;
        if (*sql)
            buf_puts(out, *++sql ? "\n" INDENT : "");
    }
    buf_puts(out, ";\n");
}

static void append_locks(struct buf *out, const json_t *step)
{
    size_t n;
    json_t *lock;
    json_array_foreach(json_object_get(step, "locks"), n, lock) {
        const char *mode = render_text(lock, "mode");
        buf_puts(out, INDENT "locks ");
        text_clean(out, render_text(lock, "relation"));
        buf_printf(out, "%s: %s %s (%s)\n",
                   is_true(lock, "parents") ? " and what its foreign keys refer to" : "", mode,
                   duration_of(step), meaning_of(mode));
    }
}

/* By enum plan_effort. */
static const struct {
    const char *effort, *before, *behind;
    bool on_table; /* its name stands in between, and its size behind */
} efforts[] = {
    {"moment", "a moment: it changes the catalog only", "", false},
    {"unknown", "as long as what it does: its text does not tell", "", false},
    {"scan", "as long as reading every row of ", "", true},
    {"index", "as long as building an index on ", "", true},
    {"rows", "as long as writing rows of ", "", true},
    {"rewrite", "as long as writing ", " anew, with its indexes, and as much free disk again", true},
};

static void append_size(struct buf *out, const json_t *takes)
{
    static const struct {
        int64_t unit;
        const char *name;
    } units[] = {{INT64_C(1) << 30, "GB"}, {INT64_C(1) << 20, "MB"}, {INT64_C(1) << 10, "kB"}, {1, "bytes"}};
    int64_t bytes = render_number(takes, "bytes");
    size_t unit = 0;

    if (!json_is_integer(json_object_get(takes, "bytes")))
        return;
    while (units[unit].unit > 1 && bytes < units[unit].unit)
        unit++;
    buf_puts(out, " (");
    if (json_is_integer(json_object_get(takes, "rows")))
        buf_printf(out, "about %" PRId64 " rows, ", render_number(takes, "rows"));
    buf_printf(out, "%" PRId64 " %s)", bytes / units[unit].unit, units[unit].name);
}

/* What has no lock and takes a moment is no news. */
static void append_cost(struct buf *out, const json_t *step)
{
    const json_t *takes = json_object_get(step, "takes");
    const char *effort = render_text(takes, "effort"), *table = render_text(takes, "table");

    for (size_t n = 0; n < sizeof(efforts) / sizeof(efforts[0]); n++) {
        if (strcmp(efforts[n].effort, effort) != 0
            || (n == 0 && json_array_size(json_object_get(step, "locks")) == 0))
            continue;
        buf_printf(out, INDENT "takes %s", efforts[n].before);
        if (efforts[n].on_table)
            text_clean(out, *table ? table : "what it names");
        if (efforts[n].on_table)
            append_size(out, takes);
        buf_printf(out, "%s\n", efforts[n].behind);
    }
}

static void append_reason(struct buf *out, const json_t *step)
{
    buf_puts(out, INDENT "why here: ");
    if (*render_text(step, "note"))
        text_clean(out, render_text(step, "note"));
    else
        buf_puts(out, is_true(step, "generated") ? "a form that does not stop the application"
                                                 : "its author placed it here");
    if (render_number(step, "line") > 0)
        buf_printf(out, " (%s line %" PRId64 ")", is_true(step, "generated") ? "made from" : "from",
                   render_number(step, "line"));
    buf_puts(out, "\n");
}

/* Where a transaction begins; `before` is the step before of the same phase, or NULL. */
static void append_transaction(struct buf *out, const json_t *step, const json_t *before)
{
    if (before && render_number(step, "transaction") == render_number(before, "transaction"))
        return;
    if (strcmp(render_text(step, "kind"), "batched") == 0)
        buf_puts(out, "  in batches, each a transaction\n");
    else if (is_true(step, "transactional"))
        buf_printf(out, "  transaction %" PRId64 "\n", render_number(step, "transaction"));
    else
        buf_puts(out, "  outside of transactions\n");
}

static void append_phase(struct buf *out, const json_t *steps, size_t phase, const struct render_plan *how)
{
    const json_t *before = NULL;
    size_t n;
    json_t *step;
    json_array_foreach(steps, n, step) {
        if (strcmp(render_text(step, "phase"), phases[phase].phase) != 0)
            continue;
        if (!before) {
            buf_puts(out, "\n");
            output_bold(out, phases[phase].phase, how->colour);
            buf_printf(out, ": %s\n", phases[phase].about);
        }
        append_transaction(out, step, before);
        buf_printf(out, "  %3" PRId64 "  ", render_number(step, "n"));
        append_sql(out, render_text(step, "sql"));
        append_locks(out, step);
        append_cost(out, step);
        if (how->explain)
            append_reason(out, step);
        before = step;
    }
}

static void append_verdict(struct buf *out, const json_t *plan, const struct plan_text *text)
{
    size_t errors = render_plan_errors(plan);
    bool undo = false;
    size_t n;
    json_t *step;

    text_after(out, "\n", text->label);
    if (errors) {
        buf_printf(out, ": refused: %zu error%s\n", errors, errors == 1 ? "" : "s");
        return;
    }
    json_array_foreach(json_object_get(plan, "steps"), n, step) {
        undo = undo || strcmp(render_text(step, "phase"), "undo") == 0;
    }
    buf_printf(out, ": can be submitted%s\n", undo ? "" : "; it has no undo");
}

void render_plan(struct buf *out, const json_t *plan, const struct plan_text *text,
                 const struct render_plan *how)
{
    size_t n;
    json_t *finding;
    json_array_foreach(json_object_get(plan, "findings"), n, finding) {
        append_finding(out, finding, text, how->colour);
    }
    const json_t *steps = render_plan_errors(plan) == 0 ? json_object_get(plan, "steps") : NULL;
    for (size_t phase = 0; phase < sizeof(phases) / sizeof(phases[0]); phase++)
        append_phase(out, steps, phase, how);
    append_verdict(out, plan, text);
}
