/* The operator's actions on a migration, or on the whole daemon. */
#include "verbs.h"

#include "render.h"
#include "text.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct steer {
    struct connection connection;
    const char *reason;
    bool yes, json;
};

const struct cli_option verb_steer_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "why, for the audit trail", offsetof(struct steer, reason),
     NULL},
    OPTION_YES(struct steer),
    OPTION_JSON(struct steer),
    OPTION_END};

/* Without a version these act on the whole daemon. */
static bool acts_on_daemon(const char *verb)
{
    return strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0;
}

struct steered {
    const char *verb;
    int64_t version; /* 0: the whole daemon */
};

static int print_steered(const struct reply *reply, const void *context)
{
    const struct steered *steered = context;
    if (!steered->version) {
        printf("%s: the whole daemon\n", steered->verb);
        return CLI_DONE;
    }
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "%" PRId64 " ", steered->version);
    text_clean(&line, reply_text(reply, "name"));
    text_after(&line, ": ", reply_text(reply, "phase"));
    text_after(&line, ", ", reply_text(reply, "status"));
    render_any(&line, "; ", reply->body, "summary", "");
    puts(buf_text(&line));
    buf_free(&line);
    return CLI_DONE;
}

static int act(const char *verb, const struct steer *options, int64_t version)
{
    return verb_ask(&(struct verb_request){
        .connection = &options->connection,
        .method = "POST",
        .path = version ? memory_printf("/v1/migrations/%" PRId64 "/%s", version, verb)
                        : memory_printf("/v1/%s", verb),
        .body = json_pack("{s:s*}", "reason", options->reason),
        .subject = version ? verb_migration(version) : NULL,
        .json = options->json,
        .print = print_steered,
        .context = &(struct steered){verb, version}});
}

/* Whose sessions `unblock` would end. */
static int show_blockers(const struct steer *options, int64_t version)
{
    struct client *client = client_open(&options->connection);
    if (!client)
        return CLI_USAGE;
    char *path = memory_printf("/v1/migrations/%" PRId64, version);
    struct buf screen = BUF_INIT(0);
    struct reply reply;
    int code = client_call(client, "GET", path, NULL, NULL, &reply);
    if (code == CLI_DONE)
        render_blockers(&screen, reply.body);
    fputs(buf_text(&screen), stderr);
    buf_free(&screen);
    reply_free(&reply);
    free(path);
    client_close(client);
    return code;
}

int verb_steer(int argc, char **argv)
{
    struct steer options = {0};
    struct arguments rest;
    int64_t version = 0;
    int least = acts_on_daemon(argv[0]) ? 0 : 1;
    int code = options_parse(argc, argv, verb_steer_options,
                             &(struct argument_rules){least, 1, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (rest.count && !verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    if (strcmp(argv[0], "unblock") == 0 && !options.yes && isatty(STDIN_FILENO)) {
        code = show_blockers(&options, version);
        if (code != CLI_DONE)
            return code;
    }
    code = version
               ? verb_confirm(argv[0], options.yes, "%s migration %" PRId64 "?", argv[0], version)
               : verb_confirm(argv[0], options.yes, "%s the whole daemon?", argv[0]);
    return code == CLI_DONE ? act(argv[0], &options, version) : code;
}
