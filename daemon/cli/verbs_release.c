/* Releases: may one start, what is meant to run, and what works after all. */
#include "verbs.h"

#include "output.h"
#include "render.h"
#include "text.h"

#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct admission {
    struct connection connection;
    bool json;
};

const struct cli_option verb_admission_options[] = {{"json", 0, OPTION_FLAG, NULL,
                                                     "print the server's JSON",
                                                     offsetof(struct admission, json), NULL},
                                                    OPTION_END};

struct declaration {
    struct connection connection;
    const char *release;
    int64_t min_replicas;
    bool json;
};

#define NOT_GIVEN (-1)

const struct cli_option verb_declare_options[] = {
    {"release", 0, OPTION_TEXT, "R", "the release's name", offsetof(struct declaration, release),
     NULL},
    {"min-replicas", 0, OPTION_NUMBER, "N", "fewer live replicas than this hold every gate",
     offsetof(struct declaration, min_replicas), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON", offsetof(struct declaration, json),
     NULL},
    OPTION_END};

struct compatible {
    struct connection connection;
    const char *reason;
    bool json;
};

const struct cli_option verb_compatible_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "how it is known (required)",
     offsetof(struct compatible, reason), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON", offsetof(struct compatible, json),
     NULL},
    OPTION_END};

/* The verdicts, their exit codes, and what to do. */
static const struct {
    const char *verdict;
    int code;
    const char *meaning;
} verdicts[] = {
    {"live", CLI_DONE, "may start now"},
    {"waiting", CLI_UNREACHABLE, "would wait for a migration\n  next: schemagate status"},
    {"too-old", CLI_TOO_OLD,
     "may not start: the schema has moved on\n  next: deploy a release that supports the window "
     "above"},
};

static int print_verdict(const char *app, const struct version_range *range, const json_t *body,
                         bool json)
{
    const char *verdict = render_text(body, "verdict");
    const json_t *window = json_object_get(body, "window");
    if (json)
        output_json(body);
    for (size_t n = 0; n < sizeof(verdicts) / sizeof(verdicts[0]); n++) {
        if (strcmp(verdicts[n].verdict, verdict) != 0)
            continue;
        if (!json)
            printf("%s: %s with %" PRId64 "..%" PRId64 " against the schema's %" PRId64 "..%" PRId64
                   " %s\n",
                   verdict, app, range->min, range->max, render_number(window, "floor"),
                   render_number(window, "ceiling"), verdicts[n].meaning);
        return verdicts[n].code;
    }
    fprintf(stderr, "schemagate: the server's verdict is none that this program knows\n  next: "
                    "schemagate version\n");
    return CLI_FAILED;
}

/* The contracts under way that would shut the range out. */
static void print_pending(const json_t *pending)
{
    size_t n;
    json_t *item;
    json_array_foreach(pending, n, item) {
        int64_t version = json_is_integer(item) ? json_integer_value(item)
                                                : render_number(item, "version");
        printf("  contract %" PRId64 " would shut it out: schemagate gate %" PRId64 "\n", version,
               version);
    }
}

/* The range in the second argument. */
static bool read_range(const char *verb, const char *text, struct version_range *range)
{
    if (option_read_range(text, range))
        return true;
    options_complain(verb, "\"%s\" is not a range of versions such as 41..43", text);
    return false;
}

int verb_admission(int argc, char **argv)
{
    struct admission options = {0};
    struct arguments rest;
    struct version_range range;
    int code = options_parse(argc, argv, verb_admission_options,
                             &(struct argument_rules){2, 2, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!read_range(argv[0], rest.items[1], &range))
        return CLI_USAGE;
    struct client *client = client_open(&options.connection);
    if (!client)
        return CLI_USAGE;
    struct buf path = BUF_INIT(0);
    buf_puts(&path, "/v1/apps/");
    text_url(&path, rest.items[0]);
    buf_printf(&path, "/admission?min=%" PRId64 "&max=%" PRId64, range.min, range.max);
    struct reply reply;
    code = client_call(client, "GET", buf_text(&path), NULL, rest.items[0], &reply);
    if (code == CLI_DONE) {
        code = print_verdict(rest.items[0], &range, reply.body, options.json);
        if (!options.json)
            print_pending(json_object_get(reply.body, "pending"));
    }
    reply_free(&reply);
    buf_free(&path);
    client_close(client);
    return code;
}

/* One request about an app whose success is told in one line. */
static int change_app(const struct connection *connection, const char *method, char *path,
                      json_t *body, const char *app, bool json, const char *done)
{
    struct client *client = client_open(connection);
    int code = CLI_USAGE;
    if (client) {
        struct reply reply;
        code = client_call(client, method, path, body, app, &reply);
        if (code == CLI_DONE && json && reply.body)
            output_json(reply.body);
        else if (code == CLI_DONE)
            printf("%s: %s\n", app, done);
        reply_free(&reply);
    } else {
        json_decref(body);
    }
    client_close(client);
    free(path);
    return code;
}

int verb_declare(int argc, char **argv)
{
    struct declaration options = {.min_replicas = NOT_GIVEN};
    struct arguments rest;
    struct version_range range;
    int code = options_parse(argc, argv, verb_declare_options,
                             &(struct argument_rules){2, 2, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!read_range(argv[0], rest.items[1], &range))
        return CLI_USAGE;
    json_t *body = json_pack("{s:{s:I, s:I, s:s*}}", "desired", "min", (json_int_t)range.min, "max",
                             (json_int_t)range.max, "release", options.release);
    if (options.min_replicas != NOT_GIVEN)
        json_object_set_new(body, "min_replicas", json_integer(options.min_replicas));
    return change_app(&options.connection, "PUT", verb_path("/v1/apps/", rest.items[0], NULL), body,
                      rest.items[0], options.json, "declared");
}

int verb_compatible(int argc, char **argv)
{
    struct compatible options = {0};
    struct arguments rest;
    int64_t max;
    int code = options_parse(argc, argv, verb_compatible_options,
                             &(struct argument_rules){3, 3, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_read_version(argv[0], rest.items[2], &max))
        return CLI_USAGE;
    if (!options.reason)
        return options_complain(argv[0], "say how it is known: --reason R");
    json_t *body = json_pack("{s:s, s:I, s:s}", "release", rest.items[1], "max", (json_int_t)max,
                             "reason", options.reason);
    return change_app(&options.connection, "POST",
                      verb_path("/v1/apps/", rest.items[0], "/compatible", NULL), body,
                      rest.items[0], options.json, "recorded as compatible");
}
