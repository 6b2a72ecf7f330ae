/* `status`, `wait` and `gate`: looking at migrations. */
#include "verbs.h"

#include "follow.h"
#include "output.h"
#include "problem.h"
#include "render.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCH_WAIT_MS 20000
#define WATCH_FRESH_MS 2000
#define WATCH_RETRY_MS 1000

struct status {
    struct connection connection;
    bool watch, json;
};

const struct cli_option verb_status_options[] = {
    {"watch", 'w', OPTION_FLAG, NULL, "keep it fresh until Ctrl-C", offsetof(struct status, watch),
     NULL},
    OPTION_JSON(struct status),
    OPTION_END};

struct wait {
    struct connection connection;
    const char *phase;
    int64_t timeout_ms;
    bool json;
};

const struct cli_option verb_wait_options[] = {
    {"for", 'f', OPTION_CHOICE, "expanded|hidden|complete", "the phase to wait for (required)",
     offsetof(struct wait, phase), NULL},
    {"timeout", 't', OPTION_SECONDS, "S", "how long to wait (default: until it is done)",
     offsetof(struct wait, timeout_ms), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON at the end",
     offsetof(struct wait, json), NULL},
    OPTION_END};

struct gate {
    struct connection connection;
    bool json;
};

const struct cli_option verb_gate_options[] = {OPTION_JSON(struct gate), OPTION_END};

/* The newest screen: of one migration, or of everything. */
static void print_screen(const json_t *document, int64_t version, bool clear)
{
    struct buf screen = BUF_INIT(0);
    bool colour = output_wants_colour(stdout);
    if (clear)
        buf_puts(&screen, "\033[H\033[2J");
    if (version)
        render_migration(&screen, document, clock_sample().wall_ms, colour);
    else
        render_status(&screen, document, colour);
    fputs(buf_text(&screen), stdout);
    fflush(stdout);
    buf_free(&screen);
}

/* Off a terminal a watch prints the summary, when it has changed. */
static void print_summary(const json_t *document, char **last)
{
    const char *summary = render_text(document, "summary");
    if (*last && strcmp(*last, summary) == 0)
        return;
    memory_replace(last, summary);
    char when[CLOCK_RFC3339_SIZE];
    struct buf line = BUF_INIT(0);
    output_word(&line, summary, false);
    printf("%s  %s\n", clock_rfc3339(clock_sample().wall_ms, when), buf_text(&line));
    fflush(stdout);
    buf_free(&line);
}

static char *status_path(int64_t version, const json_t *known, int64_t wait_ms)
{
    char *index = known ? memory_printf("?wait=%" PRId64 "&index=%" PRId64, wait_ms / 1000,
                                        render_number(known, "index"))
                        : memory_copy("");
    char *path = version ? memory_printf("/v1/migrations/%" PRId64 "%s", version, index)
                         : memory_printf("/status%s", index);
    free(index);
    return path;
}

/* One turn of a watch: what changed is shown, silence is ridden out. */
static int watch_turn(struct client *client, const struct status *options, int64_t version,
                      json_t **known, char **last)
{
    bool terminal = isatty(STDOUT_FILENO) && !options->json;
    int64_t wait_ms = terminal ? WATCH_FRESH_MS : WATCH_WAIT_MS;
    char *path = status_path(version, *known, wait_ms);
    struct reply reply;
    client_exchange(client, "GET", path, NULL, wait_ms, &reply);
    free(path);
    int code = client_interrupted(client) ? CLI_SIGNAL + client_interrupted(client)
                                          : reply_exit_code(&reply);
    if (code == CLI_DONE) {
        bool changed = !*known ||
                       render_number(*known, "index") != render_number(reply.body, "index");
        json_decref(*known);
        *known = json_incref(reply.body);
        if (terminal)
            print_screen(*known, version, true);
        else if (!options->json)
            print_summary(*known, last);
        else if (changed)
            output_json(*known);
    } else if (!client_interrupted(client)) {
        problem_report(&reply, NULL);
        if (*known && reply_is_transient(&reply)) {
            client_pause(client, WATCH_RETRY_MS);
            code = client_interrupted(client) ? CLI_SIGNAL + client_interrupted(client) : CLI_DONE;
        }
    }
    reply_free(&reply);
    return code;
}

static int watch(const struct status *options, int64_t version)
{
    struct client *client = client_open(&options->connection);
    json_t *known = NULL;
    char *last = NULL;
    int code;
    if (!client)
        return CLI_USAGE;
    client_catch_interrupts(client);
    do {
        code = watch_turn(client, options, version, &known, &last);
    } while (code == CLI_DONE);
    json_decref(known);
    free(last);
    client_close(client);
    return code;
}

static int print_once(const struct reply *reply, const void *version)
{
    print_screen(reply->body, *(const int64_t *)version, false);
    return CLI_DONE;
}

static int show_once(const struct status *options, int64_t version)
{
    return verb_ask(&(struct verb_request){.connection = &options->connection,
                                           .method = "GET",
                                           .path = status_path(version, NULL, 0),
                                           .subject = version ? verb_migration(version) : NULL,
                                           .json = options->json,
                                           .print = print_once,
                                           .context = &version});
}

int verb_status(int argc, char **argv)
{
    struct status options = {0};
    struct arguments rest;
    int64_t version = 0;
    int code = options_parse(argc, argv, verb_status_options, &(struct argument_rules){0, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (rest.count && !verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    return options.watch ? watch(&options, version) : show_once(&options, version);
}

int verb_wait(int argc, char **argv)
{
    struct wait options = {0};
    struct arguments rest;
    int64_t version;
    int code = options_parse(argc, argv, verb_wait_options, &(struct argument_rules){1, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    if (!options.phase)
        return options_complain(argv[0], "say what to wait for: --for expanded, hidden or complete");
    struct client *client = client_open(&options.connection);
    if (!client)
        return CLI_USAGE;
    struct follow follow = {client, options.phase, options.timeout_ms, options.json, 0};
    json_t *last;
    client_catch_interrupts(client);
    follow_start(&follow);
    code = follow_migration(&follow, version, &last);
    if (options.json && last)
        output_json(last);
    else if (code == CLI_DONE)
        printf("%" PRId64 " %s: %s\n", version, render_text(last, "name"), options.phase);
    json_decref(last);
    client_close(client);
    return code;
}

static int print_gate(const struct reply *reply, const void *version)
{
    struct buf screen = BUF_INIT(0);
    render_gate(&screen, reply->body, *(const int64_t *)version, clock_sample().wall_ms,
                output_wants_colour(stdout));
    fputs(buf_text(&screen), stdout);
    buf_free(&screen);
    return CLI_DONE;
}

int verb_gate(int argc, char **argv)
{
    struct gate options = {0};
    struct arguments rest;
    int64_t version;
    int code = options_parse(argc, argv, verb_gate_options, &(struct argument_rules){1, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    return verb_ask(&(struct verb_request){.connection = &options.connection,
                                           .method = "GET",
                                           .path = memory_printf("/v1/migrations/%" PRId64 "/gate", version),
                                           .subject = verb_migration(version),
                                           .json = options.json,
                                           .print = print_gate,
                                           .context = &version});
}
