/* The operator's actions on a migration, or on the whole daemon. */
#include "verbs.h"

#include "output.h"
#include "render.h"
#include "text.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct steer {
    struct connection connection;
    const char *reason;
    bool yes, json;
};

const struct cli_option verb_steer_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "why, for the audit trail", offsetof(struct steer, reason),
     NULL},
    {"yes", 'y', OPTION_FLAG, NULL, "do not ask", offsetof(struct steer, yes), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON", offsetof(struct steer, json), NULL},
    OPTION_END};

/* Without a version these act on the whole daemon. */
static bool acts_on_daemon(const char *verb)
{
    return strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0;
}

static void print_outcome(const char *verb, int64_t version, const json_t *body)
{
    if (!version) {
        printf("%s: the whole daemon\n", verb);
        return;
    }
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "%" PRId64 " ", version);
    text_clean(&line, render_text(body, "name"));
    buf_puts(&line, ": ");
    text_clean(&line, render_text(body, "phase"));
    buf_puts(&line, ", ");
    text_clean(&line, render_text(body, "status"));
    if (*render_text(body, "summary")) {
        buf_puts(&line, "; ");
        text_clean(&line, render_text(body, "summary"));
    }
    puts(buf_text(&line));
    buf_free(&line);
}

static int act(const char *verb, const struct steer *options, int64_t version)
{
    struct client *client = client_open(&options->connection);
    if (!client)
        return CLI_USAGE;
    char *path = version ? memory_printf("/v1/migrations/%" PRId64 "/%s", version, verb)
                         : memory_printf("/v1/%s", verb);
    char *subject = version ? memory_printf("migration %" PRId64, version) : NULL;
    json_t *body = json_pack("{s:s*}", "reason", options->reason);
    struct reply reply;
    int code = client_call(client, "POST", path, body, subject, &reply);
    if (code == CLI_DONE && options->json)
        output_json(reply.body);
    else if (code == CLI_DONE)
        print_outcome(verb, version, reply.body);
    reply_free(&reply);
    free(subject);
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
    code = version
               ? verb_confirm(argv[0], options.yes, "%s migration %" PRId64 "?", argv[0], version)
               : verb_confirm(argv[0], options.yes, "%s the whole daemon?", argv[0]);
    return code == CLI_DONE ? act(argv[0], &options, version) : code;
}
