/* The wait for a phase: long polls, one line that says what is waited for, and how it ended. */
#include "follow.h"

#include "problem.h"
#include "render.h"
#include "text.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define POLL_MS 30000
#define POLL_FRESH_MS 2000 /* progress does not wake a poll: on a terminal ask more often */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 8000

/* The phases in which somebody who waits has what he waits for. */
static const struct {
    const char *until, *phase;
} reached[] = {
    {"expanded", "expanded"}, {"expanded", "contracting"}, {"expanded", "complete"},
    {"expanded", "hidden"},   {"expanded", "purging"},     {"expanded", "restoring"},
    {"hidden", "hidden"},     {"hidden", "purging"},       {"hidden", "complete"},
    {"complete", "complete"},
};

enum follow_outcome follow_judge(const json_t *migration, const char *until)
{
    const char *phase = render_text(migration, "phase");
    for (size_t n = 0; n < sizeof(reached) / sizeof(reached[0]); n++)
        if (strcmp(reached[n].until, until) == 0 && strcmp(reached[n].phase, phase) == 0)
            return FOLLOW_REACHED;
    if (strcmp(phase, "cancelled") == 0 || strcmp(phase, "undone") == 0)
        return FOLLOW_ENDED;
    return strcmp(render_text(migration, "status"), "failed") == 0 ? FOLLOW_FAILED : FOLLOW_WAIT;
}

void follow_start(struct follow *follow)
{
    follow->started_ms = clock_sample().boot_ms;
}

/* What is on show. */
struct display {
    const struct follow *follow;
    const json_t *migration; /* NULL: nothing yet */
    bool terminal, fleet_told, silence_told;
    char *last; /* what the last line was about, without its times */
};

static void clear_line(const struct display *display)
{
    if (display->terminal)
        fputs("\r\033[K", stderr);
}

/* Cuts a line to the terminal, at a character's border. */
static void print_cut(const char *line)
{
    struct winsize size;
    size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1
                         ? size.ws_col - 1u
                         : 79;
    const char *end = line;
    for (size_t width = 0; *end; end++)
        if (((unsigned char)*end & 0xc0) != 0x80 && ++width > columns)
            break;
    fprintf(stderr, "\r\033[K%.*s", (int)(end - line), line);
    fflush(stderr);
}

/* The line of a terminal is drawn anew each second. */
static void tick(void *context)
{
    struct display *display = context;
    if (!display->terminal || !display->migration)
        return;
    struct instant now = clock_sample();
    struct buf line = BUF_INIT(0);
    render_wait_line(&line, display->migration, now.boot_ms - display->follow->started_ms,
                     now.wall_ms);
    print_cut(buf_text(&line));
    buf_free(&line);
}

/* Off a terminal: a line when something has changed. */
static void print_change(struct display *display)
{
    const json_t *migration = display->migration;
    char *about = memory_printf("%s|%s|%s", render_text(migration, "phase"),
                                render_text(migration, "status"),
                                render_text(migration, "summary"));
    if (!display->last || strcmp(display->last, about) != 0) {
        struct instant now = clock_sample();
        struct buf line = BUF_INIT(0);
        render_wait_line(&line, migration, now.boot_ms - display->follow->started_ms, now.wall_ms);
        fprintf(stderr, "%s\n", buf_text(&line));
        buf_free(&line);
    }
    free(display->last);
    display->last = about;
}

static json_t *holds_of(const json_t *migration)
{
    return json_object_get(json_object_get(migration, "gate"), "holds");
}

/* Nobody has reported: a contract would wait for ever, so say at once what is missing. */
static void tell_missing_fleet(struct display *display)
{
    size_t n;
    json_t *hold;
    if (display->fleet_told || strcmp(display->follow->until, "complete") != 0)
        return;
    json_array_foreach(holds_of(display->migration), n, hold) {
        if (strcmp(render_text(hold, "code"), "fleet-missing") != 0)
            continue;
        struct buf text = BUF_INIT(0);
        text_after(&text, "schemagate: ", render_text(hold, "message"));
        buf_puts(&text, "\n  next: ");
        render_hold_remedy(&text, hold, render_number(display->migration, "version"));
        clear_line(display);
        fprintf(stderr, "%s\n", buf_text(&text));
        buf_free(&text);
        display->fleet_told = true;
        return;
    }
}

static void show(struct display *display)
{
    if (display->follow->json)
        return;
    tell_missing_fleet(display);
    if (display->terminal)
        tick(display);
    else
        print_change(display);
}

/* Milliseconds that are left, at most `most`; 0: the wait ran out. */
static int64_t time_left(const struct follow *follow, int64_t most)
{
    if (!follow->timeout_ms)
        return most;
    int64_t left = follow->started_ms + follow->timeout_ms - clock_sample().boot_ms;
    return left <= 0 ? 0 : left < most ? left : most;
}

static char *poll_path(const struct follow *follow, int64_t version, const json_t *known,
                       int64_t wait_ms)
{
    int64_t seconds = (wait_ms + 999) / 1000;
    if (follow->json)
        return memory_printf("/v1/migrations/%" PRId64 "?until=%s&wait=%" PRId64, version,
                             follow->until, seconds);
    if (!known)
        return memory_printf("/v1/migrations/%" PRId64, version);
    return memory_printf("/v1/migrations/%" PRId64 "?wait=%" PRId64 "&index=%" PRId64, version,
                         seconds, render_number(known, "index"));
}

static bool names_live_replica(const json_t *holds)
{
    size_t n;
    json_t *hold;
    json_array_foreach(holds, n, hold) {
        if (strcmp(render_text(hold, "code"), "replica-behind") == 0)
            return true;
    }
    return false;
}

static bool is_same_replica(const json_t *hold, const json_t *replica)
{
    static const char *const members[] = {"app", "instance", "incarnation"};
    for (size_t n = 0; n < sizeof(members) / sizeof(members[0]); n++)
        if (strcmp(render_text(hold, members[n]), render_text(replica, members[n])) != 0)
            return false;
    return true;
}

/* When a replica renewed last is no part of a hold: it is asked for, and kept as its "renewed_at".
 * Where that may not be asked, the line does without. */
static void add_renewals(struct client *client, const json_t *migration)
{
    json_t *holds = holds_of(migration);
    if (!names_live_replica(holds))
        return;
    char *path = memory_printf("/v1/replicas?limit=100&state=live&holding=%" PRId64,
                               render_number(migration, "version"));
    struct reply reply;
    client_exchange(client, "GET", path, NULL, 0, &reply);
    size_t n, i;
    json_t *hold, *replica;
    json_array_foreach(holds, n, hold) {
        json_array_foreach(json_object_get(reply.body, "items"), i, replica) {
            if (is_same_replica(hold, replica))
                json_object_set(hold, "renewed_at", json_object_get(replica, "renewed_at"));
        }
    }
    reply_free(&reply);
    free(path);
}

static int64_t poll_interval(const struct display *display)
{
    const char *status = render_text(display->migration, "status");
    bool moving = strcmp(status, "running") == 0 || strcmp(status, "retrying") == 0 ||
                  names_live_replica(holds_of(display->migration));
    return display->terminal && moving ? POLL_FRESH_MS : POLL_MS;
}

/* No answer: say so once, wait, longer each time. */
static void ride_out(struct display *display, const struct reply *reply, int64_t *pause_ms)
{
    if (!display->silence_told) {
        clear_line(display);
        problem_report(reply, NULL);
        fputs("schemagate: still waiting; the migration does not depend on it\n", stderr);
    }
    display->silence_told = true;
    client_pause(display->follow->client, time_left(display->follow, *pause_ms));
    *pause_ms = *pause_ms * 2 < RETRY_MAX_MS ? *pause_ms * 2 : RETRY_MAX_MS;
}

static int say_detached(const struct follow *follow, int64_t version, int code, const char *what)
{
    fprintf(stderr,
            "schemagate: %s; migration %" PRId64 " goes on\n  next: schemagate wait %" PRId64
            " --for %s\n",
            what, version, version, follow->until);
    return code;
}

static int say_failed(const json_t *migration, int64_t version)
{
    struct buf text = BUF_INIT(0);
    text_clean(&text, render_text(migration, "summary"));
    fprintf(stderr,
            "schemagate: migration %" PRId64 " %s\n  next: schemagate status %" PRId64
            ", then schemagate retry %" PRId64 " or schemagate undo %" PRId64 "\n",
            version, buf_text(&text), version, version, version);
    buf_free(&text);
    return CLI_FAILED;
}

static int say_ended(const json_t *migration, int64_t version)
{
    fprintf(stderr,
            "schemagate: migration %" PRId64 " is %s\n  next: schemagate events --version %" PRId64
            "\n",
            version, render_text(migration, "phase"), version);
    return CLI_REFUSED;
}

/* One poll. Returns OPTIONS_GO_ON to go on, else the exit code. */
static int turn(struct display *display, int64_t version, json_t **known, int64_t *pause_ms)
{
    const struct follow *follow = display->follow;
    int64_t wait_ms = time_left(follow, poll_interval(display));
    char *path = poll_path(follow, version, *known, wait_ms);
    struct reply reply;
    client_exchange(follow->client, "GET", path, NULL, wait_ms, &reply);
    free(path);

    int code = OPTIONS_GO_ON, signal = client_interrupted(follow->client);
    if (signal) {
        clear_line(display);
        code = say_detached(follow, version, CLI_SIGNAL + signal, "detached");
    } else if (reply_exit_code(&reply) == CLI_DONE) {
        json_decref(*known);
        *known = json_incref(reply.body);
        if (!follow->json)
            add_renewals(follow->client, *known);
        display->migration = *known;
        display->silence_told = false;
        *pause_ms = RETRY_FIRST_MS;
    } else if (*known && reply_is_transient(&reply)) {
        ride_out(display, &reply, pause_ms);
    } else {
        clear_line(display);
        char *subject = memory_printf("migration %" PRId64, version);
        code = problem_report(&reply, subject);
        free(subject);
    }
    reply_free(&reply);
    return code;
}

static int conclude(struct display *display, int64_t version)
{
    switch (follow_judge(display->migration, display->follow->until)) {
    case FOLLOW_REACHED:
        clear_line(display);
        return CLI_DONE;
    case FOLLOW_FAILED:
        clear_line(display);
        return say_failed(display->migration, version);
    case FOLLOW_ENDED:
        clear_line(display);
        return say_ended(display->migration, version);
    case FOLLOW_WAIT:
        break;
    }
    show(display);
    if (time_left(display->follow, POLL_MS) > 0)
        return OPTIONS_GO_ON;
    clear_line(display);
    return say_detached(display->follow, version, CLI_TIMEOUT, "the wait ran out");
}

int follow_migration(const struct follow *follow, int64_t version, json_t **last)
{
    struct display display = {.follow = follow, .terminal = isatty(STDERR_FILENO) && !follow->json};
    json_t *known = NULL;
    int64_t pause_ms = RETRY_FIRST_MS;
    int code;
    client_on_tick(follow->client, tick, &display);
    do {
        code = turn(&display, version, &known, &pause_ms);
        if (code == OPTIONS_GO_ON && known)
            code = conclude(&display, version);
    } while (code == OPTIONS_GO_ON);
    client_on_tick(follow->client, NULL, NULL);
    free(display.last);
    if (last)
        *last = known;
    else
        json_decref(known);
    return code;
}
