/* The screens of `status` and `status VERSION`. */
#include "render.h"

#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define SQL_SHOWN 60

/* The first line of a statement, cut. */
static void append_sql(struct buf *out, const char *sql)
{
    size_t length = strcspn(sql, "\r\n");
    bool cut = sql[length] != '\0' || length > SQL_SHOWN;
    length = length > SQL_SHOWN ? SQL_SHOWN : length;
    while (cut && length && ((unsigned char)sql[length] & 0xc0) == 0x80)
        length--;
    buf_append(out, sql, length);
    buf_puts(out, cut ? "…" : "");
}

static void append_steps(struct buf *out, const json_t *steps, bool colour)
{
    struct table table = table_new(5,
                                   (const char *const[]){"PHASE", "STEP", "STATE", "TRIES", "SQL"});
    size_t n;
    json_t *step;
    json_array_foreach(steps, n, step) {
        struct buf number = BUF_INIT(0), tries = BUF_INIT(0), sql = BUF_INIT(0);
        buf_printf(&number, "%" PRId64, render_number(step, "n"));
        buf_printf(&tries, "%" PRId64, render_number(step, "attempts"));
        append_sql(&sql, render_text(step, "sql"));
        TABLE_ROW(&table, render_text(step, "phase"), buf_text(&number), render_text(step, "state"),
                  buf_text(&tries), buf_text(&sql));
        buf_free(&number);
        buf_free(&tries);
        buf_free(&sql);
    }
    table_finish(&table, out, colour);
}

/* What PostgreSQL tells of the statement that runs. */
static void append_progress(struct buf *out, const json_t *steps)
{
    size_t n;
    json_t *step;
    json_array_foreach(steps, n, step) {
        const json_t *progress = json_object_get(step, "progress");
        if (!json_is_object(progress))
            continue;
        text_after(out, "progress  ", render_text(step, "phase"));
        buf_printf(out, " step %" PRId64, render_number(step, "n"));
        render_any(out, ": ", progress, "phase", "");
        buf_printf(out, ", %" PRId64 " of %" PRId64, render_number(progress, "done"),
                   render_number(progress, "total"));
        render_any(out, " ", progress, "unit", "\n");
    }
}

/* What is known of the rows at the end, and nothing more. */
static void append_verdict(struct buf *out, const json_t *backfill)
{
    const json_t *verified = json_object_get(backfill, "verified"), *command;
    size_t i;

    buf_printf(out, "backfill  %" PRId64 " rows changed, ", render_number(backfill, "rows_changed"));
    if (json_is_true(verified))
        buf_puts(out, "none left in one look at all rows\n");
    else if (json_is_false(verified))
        buf_printf(out, "%" PRId64 " left: its condition still finds them\n",
                   render_number(backfill, "rows_left"));
    else
        buf_puts(out, "not verified: rows that were written meanwhile may be without it\n");
    json_array_foreach(json_object_get(backfill, "vacuum"), i, command) {
        buf_printf(out, "          dead rows; unless autovacuum has come by since: %s\n",
                   json_string_value(command));
    }
}

static void append_backfill(struct buf *out, const json_t *migration)
{
    const json_t *backfill = json_object_get(migration, "backfill");
    if (!json_is_object(backfill))
        return;
    if (strcmp(render_text(migration, "phase"), "backfilling") != 0) {
        append_verdict(out, backfill);
        return;
    }
    buf_printf(out, "backfill  %" PRId64 " of about %" PRId64 " rows",
               render_number(backfill, "rows_done"), render_number(backfill, "rows_estimate"));
    const json_t *rate = json_object_get(backfill, "rows_per_second");
    if (json_is_number(rate))
        buf_printf(out, ", %.0f rows/s", json_number_value(rate));
    const json_t *left = json_object_get(backfill, "eta_seconds");
    if (json_is_number(left)) {
        buf_puts(out, ", ");
        text_duration(out, (int64_t)(json_number_value(left) * 1000));
        buf_puts(out, " to go");
    }
    render_any(out, ", slowed down by ", backfill, "throttled_by", "");
    render_any(out, ": ", backfill, "throttle_advice", "");
    buf_puts(out, "\n");
}

/* ", transaction 3m04s old" */
static void append_age(struct buf *out, const char *what, double seconds)
{
    if (seconds <= 0)
        return;
    buf_printf(out, ", %s ", what);
    text_duration(out, (int64_t)(seconds * 1000));
    buf_puts(out, " old");
}

/* "prepared-transaction t1, report, user app, idle in transaction, on customer, transaction 3m04s old" */
static void append_words(struct buf *out, const json_t *blocker)
{
    static const struct {
        const char *member, *before;
    } words[] = {{"kind", ""},
                 {"gid", " "},
                 {"application_name", ", "},
                 {"user", ", user "},
                 {"state", ", "},
                 {"relation", ", on "}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        render_any(out, words[i].before, blocker, words[i].member, "");
    append_age(out, "transaction", json_number_value(json_object_get(blocker, "transaction_seconds")));
    append_age(out, "query", json_number_value(json_object_get(blocker, "query_seconds")));
}

void render_blockers(struct buf *out, const json_t *migration)
{
    const json_t *lock = json_object_get(migration, "lock");
    size_t n;
    json_t *blocker;
    json_array_foreach(json_object_get(lock, "blockers"), n, blocker) {
        if (render_number(blocker, "pid"))
            buf_printf(out, "blocker   pid %" PRId64 " (", render_number(blocker, "pid"));
        else
            buf_puts(out, "blocker   (");
        append_words(out, blocker);
        buf_puts(out, ")\n");
        render_any(out, "          ", blocker, "advice", "\n");
    }
    render_any(out, "blind     ", lock, "advice", "\n");
}

/* "error     expand step 2, 7:12: 42P07 relation … already exists", and what PostgreSQL says
 * besides. */
static void append_error(struct buf *out, const json_t *error)
{
    static const char *const besides[] = {"detail", "hint", "context"};
    if (!json_is_object(error))
        return;
    const json_t *position = json_object_get(error, "position");
    text_after(out, "error     ", render_text(error, "phase"));
    if (render_number(error, "step"))
        buf_printf(out, " step %" PRId64, render_number(error, "step"));
    if (json_is_object(position))
        buf_printf(out, ", %" PRId64 ":%" PRId64, render_number(position, "line"),
                   render_number(position, "column"));
    buf_puts(out, ": ");
    render_any(out, "", error, "sqlstate", " ");
    text_clean(out, render_text(error, "message"));
    buf_puts(out, "\n");
    for (size_t n = 0; n < sizeof(besides) / sizeof(besides[0]); n++) {
        if (!*render_text(error, besides[n]))
            continue;
        buf_printf(out, "          %s: ", besides[n]);
        text_lines(out, render_text(error, besides[n]), "            ");
    }
}

static void append_hidden(struct buf *out, const json_t *migration)
{
    const json_t *reported = json_object_get(migration, "reported");
    size_t n;
    json_t *hidden;

    json_array_foreach(json_object_get(migration, "hidden"), n, hidden) {
        bool column = *render_text(hidden, "column") != '\0';
        text_after(out, "hidden    ", render_text(hidden, "relation"));
        text_after(out, column ? "." : "", render_text(hidden, "column"));
        render_any(out, ": restored, but ", hidden, "note", "");
        buf_puts(out, "\n");
    }
    if (json_is_object(reported))
        buf_printf(out, "reported  %" PRId64 " errors in %" PRId64 " requests since it is hidden\n",
                   render_number(reported, "errors"), render_number(reported, "requests"));
}

static void append_actions(struct buf *out, const json_t *actions, int64_t version)
{
    size_t n;
    json_t *action;
    json_array_foreach(actions, n, action) {
        buf_printf(out, "%sschemagate ", n ? ", " : "next      ");
        text_clean(out, json_string_value(action) ? json_string_value(action) : "");
        buf_printf(out, " %" PRId64, version);
        if (json_string_value(action) && strcmp(json_string_value(action), "waive") == 0)
            buf_puts(out, " CODE");
    }
    if (json_array_size(actions))
        buf_puts(out, "\n");
}

void render_migration(struct buf *out, const json_t *migration, int64_t wall_ms, bool colour)
{
    int64_t version = render_number(migration, "version");
    const json_t *gate = json_object_get(migration, "gate");
    buf_printf(out, "%" PRId64 " ", version);
    output_bold(out, render_text(migration, "name"), colour);
    buf_puts(out, "  ");
    output_word(out, render_text(migration, "phase"), colour);
    buf_puts(out, "/");
    output_word(out, render_text(migration, "status"), colour);
    text_after(out, "\nsummary   ", render_text(migration, "summary"));
    text_after(out, "\nsubmitted ", render_text(migration, "submitted_at"));
    text_after(out, " by ", render_text(migration, "submitted_by"));
    buf_puts(out, "\n");
    append_backfill(out, migration);
    append_progress(out, json_object_get(migration, "steps"));
    render_blockers(out, migration);
    append_hidden(out, migration);
    append_error(out, json_object_get(migration, "error"));
    append_actions(out, json_object_get(migration, "actions"), version);
    buf_puts(out, "\n");
    append_steps(out, json_object_get(migration, "steps"), colour);
    if (json_is_object(gate) && strcmp(render_text(migration, "status"), "done") != 0) {
        buf_puts(out, "\n");
        render_gate(out, gate, version, wall_ms, colour);
    }
}

static void append_pause(struct buf *out, const json_t *paused)
{
    if (!json_is_object(paused))
        return;
    text_after(out, "\npaused    the whole daemon, by ", render_text(paused, "by"));
    render_any(out, ": ", paused, "reason", "");
    buf_puts(out, "; next: schemagate resume");
}

/* What the server's version lacks. */
static void append_limits(struct buf *out, const json_t *limits)
{
    size_t n;
    json_t *limit;

    json_array_foreach(limits, n, limit) {
        text_after(out, "\nlimit     ", json_string_value(limit));
    }
}

/* Who has not been told for long. */
static void append_notifies(struct buf *out, const json_t *notifies)
{
    size_t n;
    json_t *notify;

    json_array_foreach(notifies, n, notify) {
        render_any(out, "\nnotify    ", notify, "trouble", "");
    }
}

static void append_head(struct buf *out, const json_t *status, bool colour)
{
    const json_t *database = json_object_get(status, "database"),
                 *window = json_object_get(status, "window");
    output_bold(out, "schemagate", colour);
    text_after(out, " ", render_text(status, "version"));
    buf_puts(out, "  ");
    output_word(out, render_text(status, "role"), colour);
    buf_printf(out, ", epoch %" PRId64 "\ndatabase  ", render_number(status, "epoch"));
    output_word(out, render_text(database, "state"), colour);
    render_any(out, ", PostgreSQL ", database, "server_version", "");
    render_any(out, " at ", database, "host", "");
    render_any(out, ": ", database, "trouble", "");
    render_any(out, "\nleader    ", status, "leader_url", "");
    if (json_is_object(window)) {
        buf_printf(out, "\nwindow    %" PRId64 "..%" PRId64, render_number(window, "floor"),
                   render_number(window, "ceiling"));
        if (render_number(window, "contracting"))
            buf_printf(out, ", contracting %" PRId64, render_number(window, "contracting"));
        if (render_number(window, "undoing"))
            buf_printf(out, ", undoing %" PRId64, render_number(window, "undoing"));
    }
    append_limits(out, json_object_get(database, "limits"));
    append_notifies(out, json_object_get(status, "notifies"));
    text_after(out, "\nsummary   ", render_text(status, "summary"));
    append_pause(out, json_object_get(status, "paused"));
    buf_puts(out, "\n");
}

static void append_open(struct buf *out, const json_t *open, bool colour)
{
    struct table table = table_new(
        5, (const char *const[]){"VERSION", "NAME", "PHASE", "STATUS", "SUMMARY"});
    size_t n;
    json_t *migration;
    json_array_foreach(open, n, migration) {
        struct buf version = BUF_INIT(0);
        buf_printf(&version, "%" JSON_INTEGER_FORMAT,
                   json_is_integer(migration) ? json_integer_value(migration)
                                              : (json_int_t)render_number(migration, "version"));
        TABLE_ROW(&table, buf_text(&version), render_text(migration, "name"),
                  render_text(migration, "phase"), render_text(migration, "status"),
                  render_text(migration, "summary"));
        buf_free(&version);
    }
    if (json_array_size(open))
        buf_puts(out, "\n");
    table_finish(&table, out, colour);
}

static void append_ranges(struct buf *out, const json_t *ranges)
{
    size_t n;
    json_t *range;
    json_array_foreach(ranges, n, range) {
        buf_puts(out, n ? "  " : "");
        render_range(out, range);
        buf_printf(out, " ×%" PRId64, render_number(range, "count"));
    }
}

static void append_apps(struct buf *out, const json_t *apps, bool colour)
{
    struct table table = table_new(
        5, (const char *const[]){"APP", "LIVE", "WAITING", "LOST", "RANGES"});
    const char *name;
    json_t *app;
    json_object_foreach((json_t *)(uintptr_t)apps, name, app) {
        struct buf live = BUF_INIT(0), waiting = BUF_INIT(0), lost = BUF_INIT(0),
                   ranges = BUF_INIT(0);
        buf_printf(&live, "%" PRId64, render_number(app, "live"));
        buf_printf(&waiting, "%" PRId64, render_number(app, "waiting"));
        buf_printf(&lost, "%" PRId64, render_number(app, "lost"));
        append_ranges(&ranges, json_object_get(app, "ranges"));
        TABLE_ROW(&table, name, buf_text(&live), buf_text(&waiting), buf_text(&lost),
                  buf_text(&ranges));
        buf_free(&live);
        buf_free(&waiting);
        buf_free(&lost);
        buf_free(&ranges);
    }
    if (json_object_size(apps))
        buf_puts(out, "\n");
    table_finish(&table, out, colour);
}

void render_status(struct buf *out, const json_t *status, bool colour)
{
    append_head(out, status, colour);
    append_open(out, json_object_get(json_object_get(status, "migrations"), "open"), colour);
    append_apps(out, json_object_get(json_object_get(status, "replicas"), "by_app"), colour);
}
