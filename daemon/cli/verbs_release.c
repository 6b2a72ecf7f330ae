/* Releases: may one start, what is meant to run, and what works after all. */
#include "verbs.h"

#include "output.h"
#include "render.h"
#include "text.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <string.h>

struct admission {
    struct connection connection;
    bool json;
};

const struct cli_option verb_admission_options[] = {OPTION_JSON(struct admission), OPTION_END};

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
    OPTION_JSON(struct declaration),
    OPTION_END};

struct compatible {
    struct connection connection;
    const char *reason;
    bool json;
};

const struct cli_option verb_compatible_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "how it is known (required)",
     offsetof(struct compatible, reason), NULL},
    OPTION_JSON(struct compatible),
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

struct asked {
    const char *app;
    struct version_range range;
    bool json;
};

static int print_verdict(const struct asked *asked, const struct reply *reply)
{
    const char *verdict = reply_text(reply, "verdict");
    const json_t *window = json_object_get(reply->body, "window");
    for (size_t n = 0; n < sizeof(verdicts) / sizeof(verdicts[0]); n++) {
        if (strcmp(verdicts[n].verdict, verdict) != 0)
            continue;
        if (!asked->json)
            printf("%s: %s with %" PRId64 "..%" PRId64 " against the schema's %" PRId64 "..%" PRId64
                   " %s\n",
                   verdict, asked->app, asked->range.min, asked->range.max,
                   render_number(window, "floor"), render_number(window, "ceiling"),
                   verdicts[n].meaning);
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

/* JSON or not: the verdict is also the exit code. */
static int print_admission(const struct reply *reply, const void *context)
{
    const struct asked *asked = context;
    if (asked->json)
        output_json(reply->body);
    int code = print_verdict(asked, reply);
    if (!asked->json)
        print_pending(json_object_get(reply->body, "pending"));
    return code;
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
    int code = options_parse(argc, argv, verb_admission_options,
                             &(struct argument_rules){2, 2, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct asked asked = {.app = rest.items[0], .json = options.json};
    if (!read_range(argv[0], rest.items[1], &asked.range))
        return CLI_USAGE;
    struct buf path = BUF_INIT(0);
    buf_puts(&path, "/v1/apps/");
    text_url(&path, asked.app);
    buf_printf(&path, "/admission?min=%" PRId64 "&max=%" PRId64, asked.range.min, asked.range.max);
    return verb_ask(&(struct verb_request){.connection = &options.connection,
                                           .method = "GET",
                                           .path = buf_take(&path),
                                           .subject = memory_copy(asked.app),
                                           .print = print_admission,
                                           .context = &asked});
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
    return verb_ask(&(struct verb_request){.connection = &options.connection,
                                           .method = "PUT",
                                           .path = verb_path("/v1/apps/", rest.items[0], NULL),
                                           .body = body,
                                           .subject = memory_copy(rest.items[0]),
                                           .json = options.json,
                                           .line = memory_printf("%s: declared", rest.items[0])});
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
    return verb_ask(&(struct verb_request){
        .connection = &options.connection,
        .method = "POST",
        .path = verb_path("/v1/apps/", rest.items[0], "/compatible", NULL),
        .body = json_pack("{s:s, s:I, s:s}", "release", rest.items[1], "max", (json_int_t)max, "reason",
                          options.reason),
        .subject = memory_copy(rest.items[0]),
        .json = options.json,
        .line = memory_printf("%s: recorded as compatible", rest.items[0])});
}
