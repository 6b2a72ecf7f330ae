/* `events`: the audit trail, a line for each event. */
#include "verbs.h"

#include "output.h"
#include "problem.h"
#include "render.h"
#include "text.h"

#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE 500
#define FOLLOW_WAIT_MS 30000
#define FOLLOW_RETRY_MS 1000

struct events {
    struct connection connection;
    bool follow, json;
    int64_t after, version;
    const char *kind;
};

const struct cli_option verb_events_options[] = {
    {"follow", 'f', OPTION_FLAG, NULL, "go on with new ones until Ctrl-C",
     offsetof(struct events, follow), NULL},
    {"after", 0, OPTION_NUMBER, "ID", "those after this event", offsetof(struct events, after),
     NULL},
    {"version", 'v', OPTION_NUMBER, "VERSION", "of this migration only",
     offsetof(struct events, version), NULL},
    {"kind", 'k', OPTION_TEXT, "KIND", "of this kind only (migration.failed, …)",
     offsetof(struct events, kind), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON, a line for each event",
     offsetof(struct events, json), NULL},
    OPTION_END};

static char *events_path(const struct events *options, int64_t wait_ms)
{
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "/v1/events?limit=%d&after=%" PRId64, PAGE, options->after);
    if (options->version)
        buf_printf(&path, "&version=%" PRId64, options->version);
    if (options->kind) {
        buf_puts(&path, "&kind=");
        text_url(&path, options->kind);
    }
    if (wait_ms)
        buf_printf(&path, "&wait=%" PRId64, wait_ms / 1000);
    return buf_take(&path);
}

/* "2026-11-20T09:30:00.123Z  1803  migration.expanded  42  deployer:ci  reason" */
static void print_event(const json_t *event, bool colour)
{
    struct buf line = BUF_INIT(0);
    text_clean(&line, render_text(event, "at"));
    buf_printf(&line, "  %" PRId64 "  ", render_number(event, "id"));
    output_bold(&line, render_text(event, "kind"), colour);
    if (render_number(event, "version"))
        buf_printf(&line, "  %" PRId64, render_number(event, "version"));
    if (*render_text(event, "app")) {
        buf_puts(&line, "  ");
        render_hold_subject(&line, event, 0);
    }
    render_any(&line, "  by ", event, "actor", "");
    render_any(&line, "  ", event, "reason", "");
    puts(buf_text(&line));
    buf_free(&line);
}

static void print_events(struct events *options, const json_t *items)
{
    bool colour = output_wants_colour(stdout);
    size_t n;
    json_t *event;
    json_array_foreach(items, n, event) {
        options->after = render_number(event, "id");
        if (options->json) {
            json_dumpf(event, stdout, JSON_COMPACT);
            fputc('\n', stdout);
        } else {
            print_event(event, colour);
        }
    }
    fflush(stdout);
}

/* One page. *count: how many events came. CLI_DONE to go on. */
static int events_turn(struct client *client, struct events *options, int64_t wait_ms,
                       size_t *count)
{
    char *path = events_path(options, wait_ms);
    struct reply reply;
    client_exchange(client, "GET", path, NULL, wait_ms, &reply);
    free(path);
    *count = 0;
    int signal = client_interrupted(client);
    int code = signal ? CLI_SIGNAL + signal : reply_exit_code(&reply);
    if (code == CLI_DONE) {
        const json_t *items = json_object_get(reply.body, "items");
        *count = json_array_size(items);
        print_events(options, items);
    } else if (!signal) {
        problem_report(&reply, NULL);
        if (options->follow && wait_ms && reply_is_transient(&reply)) {
            client_pause(client, FOLLOW_RETRY_MS);
            code = CLI_DONE;
        }
    }
    reply_free(&reply);
    return code;
}

int verb_events(int argc, char **argv)
{
    struct events options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_events_options, &(struct argument_rules){0, 0, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct client *client = client_open(&options.connection);
    if (!client)
        return CLI_USAGE;
    size_t count;
    do {
        code = events_turn(client, &options, 0, &count);
    } while (code == CLI_DONE && count == PAGE);
    if (options.follow && code == CLI_DONE)
        client_catch_interrupts(client);
    while (options.follow && code == CLI_DONE)
        code = events_turn(client, &options, FOLLOW_WAIT_MS, &count);
    client_close(client);
    return code;
}
