/* Holds and waits in words. */
#include "render.h"

#include "output.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUBJECTS_SHOWN 3

/* What to do about a hold; the fields in braces are filled in from it. */
static const struct {
    const char *code, *remedy;
} remedies[] = {
    {"replica-behind",
     "deploy a release of {app} that supports {version}; if {instance} has ended: "
     "schemagate evict {app}/{instance} --reason R"},
    {"replica-ahead",
     "roll {app} back; if {instance} has ended: schemagate evict {app}/{instance} --reason R"},
    {"replica-lost", "if {instance} has ended: schemagate evict {app}/{instance} --reason R"},
    {"session-behind", "deploy a release that supports {version}, or end the session: schemagate terminate "
                       "{pid} --reason R"},
    {"session-ahead", "roll back, or end the session: schemagate terminate {pid} --reason R"},
    {"session-unpinned", "let the application's connections call schemagate.pin() (schemagate pin-sql shows "
                         "how), or: schemagate terminate {pid} --reason R"},
    {"session-stray",
     "start its program through: schemagate run --app APP --schema MIN..MAX -- COMMAND; or end the session: "
     "schemagate terminate {pid} --reason R; or: schemagate waive {version} session-stray "
     "{role}/{application_name} --for S --reason R"},
    {"standby-unknown", "make {standby} reachable; or: schemagate waive {version} standby-unknown {standby} "
                        "--for S --reason R"},
    {"fleet-missing",
     "start the application under the gate: schemagate run --app {app} --schema MIN..MAX -- "
     "COMMAND; one that is given up: schemagate retire {app} --reason R"},
    {"desired-behind", "declare what is meant to run: schemagate declare {app} MIN..MAX"},
    {"settling", "wait until every replica has renewed: schemagate replicas"},
    {"soaking", "wait: until then the code can still be rolled back"},
    {"awaiting-approval", "schemagate approve {version} --reason R"},
    {"earlier-migration", "see what the earlier one waits for: schemagate status"},
    {"later-migration", "undo the later one first: schemagate status"},
    {"paused", "schemagate resume {version}, or for the whole daemon: schemagate resume"},
    {"outside-hours", "wait for the configured contract hours"},
    {"unhealthy",
     "look at the errors of {app}; undo if the release is at fault: schemagate undo {version}"},
    {"in-use", "find the program of {role} that still uses what the contract drops, and deploy a release "
               "that does not; or: schemagate waive {version} in-use --for S --reason R -- {queryid}"},
    {"replication-lag", "wait until the standby has caught up"},
};

const char *render_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

int64_t render_number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

void render_any(struct buf *out, const char *before, const json_t *object, const char *member,
                const char *after)
{
    const char *text = render_text(object, member);
    if (!*text)
        return;
    text_after(out, before, text);
    buf_puts(out, after);
}

void render_range(struct buf *out, const json_t *object)
{
    const json_t *min = json_object_get(object, "min"), *max = json_object_get(object, "max");
    if (json_is_integer(min) && json_is_integer(max))
        buf_printf(out, "%" JSON_INTEGER_FORMAT "..%" JSON_INTEGER_FORMAT, json_integer_value(min),
                   json_integer_value(max));
}

/* How old a time is: appends "lost 8m" for ("lost", time). */
static void append_since(struct buf *out, const char *word, const char *since, int64_t wall_ms)
{
    int64_t then;
    if (!text_read_time(since, &then))
        return;
    buf_printf(out, "%s ", word);
    text_age(out, wall_ms - then);
}

/* "lost 8m", "renewed 3s ago" where that is known, else "for 5m". */
static void append_sign_of_life(struct buf *out, const json_t *hold, int64_t wall_ms)
{
    const char *renewed = render_text(hold, "renewed_at");
    bool lost = strcmp(render_text(hold, "code"), "replica-lost") == 0;
    if (lost || !*renewed) {
        append_since(out, lost ? "lost" : "for", render_text(hold, "since"), wall_ms);
    } else {
        append_since(out, "renewed", renewed, wall_ms);
        buf_puts(out, " ago");
    }
}

void render_hold_subject(struct buf *out, const json_t *hold, int64_t wall_ms)
{
    const char *app = render_text(hold, "app"), *instance = render_text(hold, "instance");
    if (!*app)
        return;
    text_clean(out, app);
    if (!*instance)
        return;
    text_after(out, "/", instance);
    struct buf facts = BUF_INIT(0), age = BUF_INIT(0);
    render_range(&facts, hold);
    append_sign_of_life(&age, hold, wall_ms);
    if (facts.length || age.length)
        buf_printf(out, " (%s%s%s)", buf_text(&facts), facts.length && age.length ? ", " : "",
                   buf_text(&age));
    buf_free(&facts);
    buf_free(&age);
}

/* The value of {name}, and how long "{name}" is. What the hold does not say stands in capitals. */
static size_t append_field(struct buf *out, const char *field, const json_t *hold, int64_t version)
{
    size_t length = strcspn(field, "}") + 1;
    char name[32];

    snprintf(name, sizeof(name), "%.*s", (int)length - 2, field + 1);
    const json_t *value = json_object_get(hold, name);
    if (strcmp(name, "version") == 0) {
        buf_printf(out, "%" PRId64, version);
    } else if (json_is_integer(value)) {
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (*render_text(hold, name)) {
        text_clean(out, render_text(hold, name));
    } else {
        for (char *at = name; *at; at++)
            *at = (char)toupper((unsigned char)*at);
        buf_puts(out, name);
    }
    return length;
}

void render_hold_remedy(struct buf *out, const json_t *hold, int64_t version)
{
    const char *remedy = "schemagate status";
    for (size_t n = 0; n < sizeof(remedies) / sizeof(remedies[0]); n++)
        if (strcmp(remedies[n].code, render_text(hold, "code")) == 0)
            remedy = remedies[n].remedy;
    while (*remedy) {
        size_t plain = strcspn(remedy, "{");
        buf_append(out, remedy, plain);
        remedy += plain;
        if (*remedy)
            remedy += append_field(out, remedy, hold, version);
    }
}

/* Appends ": web/a (…), web/b (…), and 7 more", where holds name replicas. */
static void append_subjects(struct buf *out, const json_t *gate, int64_t wall_ms)
{
    const json_t *holds = json_object_get(gate, "holds");
    int64_t total = render_number(gate, "holds_total"), shown = 0;
    size_t n;
    json_t *hold;
    json_array_foreach(holds, n, hold) {
        if (!*render_text(hold, "instance"))
            continue;
        if (shown == SUBJECTS_SHOWN)
            break;
        buf_puts(out, shown++ ? ", " : ": ");
        render_hold_subject(out, hold, wall_ms);
    }
    if (shown && total > shown)
        buf_printf(out, ", and %" PRId64 " more", total - shown);
}

void render_wait_line(struct buf *out, const json_t *migration, int64_t waited_ms, int64_t wall_ms)
{
    buf_puts(out, "waiting ");
    text_duration(out, waited_ms);
    buf_printf(out, "  %" PRId64 " ", render_number(migration, "version"));
    text_clean(out, render_text(migration, "name"));
    const char *summary = render_text(migration, "summary");
    text_after(out, ": ", *summary ? summary : render_text(migration, "phase"));
    append_subjects(out, json_object_get(migration, "gate"), wall_ms);
}

void render_hold(struct buf *out, const json_t *hold, int64_t version, int64_t wall_ms, bool colour)
{
    output_bold(out, render_text(hold, "code"), colour);
    text_after(out, ": ", render_text(hold, "message"));
    struct buf age = BUF_INIT(0);
    append_since(&age, "for", render_text(hold, "since"), wall_ms);
    if (age.length)
        buf_printf(out, " (%s)", buf_text(&age));
    buf_free(&age);
    buf_puts(out, "\n");
    render_any(out, "    clears when ", hold, "clears_when", "\n");
    buf_puts(out, "    next: ");
    render_hold_remedy(out, hold, version);
    buf_puts(out, "\n");
}

void render_gate(struct buf *out, const json_t *gate, int64_t version, int64_t wall_ms, bool colour)
{
    const json_t *holds = json_object_get(gate, "holds");
    int64_t total = render_number(gate, "holds_total"), listed = (int64_t)json_array_size(holds);
    if (json_is_true(json_object_get(gate, "open")))
        buf_printf(out, "the gate of %" PRId64 " is open", version);
    else
        buf_printf(out, "the gate of %" PRId64 " is closed by %" PRId64 " hold%s", version,
                   total > listed ? total : listed,
                   (total > listed ? total : listed) == 1 ? "" : "s");
    render_any(out, " (evidence: ", gate, "evidence", ")");
    buf_puts(out, "\n");
    size_t n;
    json_t *hold;
    json_array_foreach(holds, n, hold) {
        buf_puts(out, "  ");
        render_hold(out, hold, version, wall_ms, colour);
    }
    if (total > listed)
        buf_printf(out, "  and %" PRId64 " more: schemagate replicas --holding %" PRId64 "\n",
                   total - listed, version);
}
