/* The fleet: who is there, and operators' and agents' words about who has ended. */
#include "verbs.h"

#include "output.h"
#include "render.h"
#include "text.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct replicas {
    struct connection connection;
    const char *app, *state;
    int64_t holding;
    bool json;
};

const struct cli_option verb_replicas_options[] = {
    {"app", 'a', OPTION_TEXT, "A", "of this application only", offsetof(struct replicas, app),
     NULL},
    {"state", 's', OPTION_CHOICE, "waiting|live|lost|gone", "in this state only",
     offsetof(struct replicas, state), NULL},
    {"holding", 0, OPTION_NUMBER, "VERSION", "those that hold this version's contract",
     offsetof(struct replicas, holding), NULL},
    OPTION_JSON(struct replicas),
    OPTION_END};

/* `evict` and `attest`. */
struct ending {
    struct connection connection;
    const char *reason, *incarnation;
    bool yes, json, terminate_sessions; /* the last: evict only */
};

/* The rows that both have. */
#define ENDING_OPTIONS                                                                         \
    {"reason", 'r', OPTION_TEXT, "R", "how it is known (required)",                            \
     offsetof(struct ending, reason), NULL},                                                   \
    {"incarnation", 'i', OPTION_TEXT, "I", "this incarnation only",                            \
     offsetof(struct ending, incarnation), NULL},                                              \
    OPTION_JSON(struct ending)

const struct cli_option verb_attest_options[] = {ENDING_OPTIONS, OPTION_END};
const struct cli_option verb_evict_options[] = {
    ENDING_OPTIONS,
    {"terminate-sessions", 't', OPTION_FLAG, NULL, "end its database sessions first",
     offsetof(struct ending, terminate_sessions), NULL},
    OPTION_YES(struct ending),
    OPTION_END};

struct retire {
    struct connection connection;
    const char *reason;
    bool yes, json;
};

const struct cli_option verb_retire_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "why, for the audit trail (required)",
     offsetof(struct retire, reason), NULL},
    OPTION_YES(struct retire),
    OPTION_JSON(struct retire),
    OPTION_END};

static char *replicas_path(const struct replicas *options)
{
    struct buf path = BUF_INIT(0);
    buf_puts(&path, "/v1/replicas?limit=1000");
    if (options->app) {
        buf_puts(&path, "&app=");
        text_url(&path, options->app);
    }
    if (options->state)
        buf_printf(&path, "&state=%s", options->state);
    if (options->holding)
        buf_printf(&path, "&holding=%" PRId64, options->holding);
    return buf_take(&path);
}

static void print_replicas(const json_t *items)
{
    struct table table = table_new(6, (const char *const[]){"REPLICA", "STATE", "RANGE", "RELEASE",
                                                            "LEASE ENDS", "INCARNATION"});
    size_t n;
    json_t *replica;
    json_array_foreach(items, n, replica) {
        struct buf range = BUF_INIT(0);
        char *name = memory_printf("%s/%s", render_text(replica, "app"),
                                   render_text(replica, "instance"));
        render_range(&range, replica);
        TABLE_ROW(&table, name, render_text(replica, "state"), buf_text(&range),
                  render_text(replica, "release"), render_text(replica, "lease_expires_at"),
                  render_text(replica, "incarnation"));
        buf_free(&range);
        free(name);
    }
    struct buf screen = BUF_INIT(0);
    table_finish(&table, &screen, output_wants_colour(stdout));
    fputs(buf_text(&screen), stdout);
    buf_free(&screen);
    if (!json_array_size(items))
        fputs("schemagate: no replica\n  next: schemagate run --app APP --schema MIN..MAX -- "
              "COMMAND\n",
              stderr);
}

int verb_replicas(int argc, char **argv)
{
    struct replicas options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_replicas_options,
                             &(struct argument_rules){0, 0, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct client *client = client_open(&options.connection);
    if (!client)
        return CLI_USAGE;
    char *path = replicas_path(&options);
    json_t *list;
    code = client_list(client, path, &list);
    if (code == CLI_DONE && options.json)
        output_json(list);
    else if (code == CLI_DONE)
        print_replicas(json_object_get(list, "items"));
    json_decref(list);
    free(path);
    client_close(client);
    return code;
}

/* POST …/evict or …/attest. */
static int declare_ended(const char *verb, const struct ending *options, const char *app,
                         const char *instance)
{
    json_t *body = json_pack("{s:s*, s:s}", "incarnation", options->incarnation, "reason",
                             options->reason);
    if (options->terminate_sessions)
        json_object_set_new(body, "terminate_sessions", json_true());
    return verb_ask(&(struct verb_request){
        .connection = &options->connection,
        .method = "POST",
        .path = verb_path("/v1/apps/", app, "/replicas/", instance, "/", verb, NULL),
        .body = body,
        .subject = memory_printf("%s/%s", app, instance),
        .json = options->json,
        .line = memory_printf("%s/%s: gone (%s)", app, instance,
                              strcmp(verb, "evict") == 0 ? "evicted" : "attested")});
}

/* Reads the arguments that both verbs share; OPTIONS_GO_ON, else the exit code. */
static int read_ending(int argc, char **argv, const struct cli_option *table,
                       struct ending *options, const char **app, const char **instance)
{
    struct arguments rest;
    int code = options_parse(argc, argv, table, &(struct argument_rules){1, 1, false}, options,
                             &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_split_replica(argv[0], rest.items[0], app, instance))
        return CLI_USAGE;
    if (!options->reason)
        return options_complain(argv[0], "say how it is known that it has ended: --reason R");
    return OPTIONS_GO_ON;
}

int verb_evict(int argc, char **argv)
{
    struct ending options = {0};
    const char *app, *instance;
    int code = read_ending(argc, argv, verb_evict_options, &options, &app, &instance);
    if (code != OPTIONS_GO_ON)
        return code;
    code = verb_confirm(argv[0], options.yes,
                        "has %s/%s really ended? Gates will not wait for it any more.", app,
                        instance);
    if (code != CLI_DONE)
        return code;
    return declare_ended(argv[0], &options, app, instance);
}

int verb_attest(int argc, char **argv)
{
    struct ending options = {0};
    const char *app, *instance;
    int code = read_ending(argc, argv, verb_attest_options, &options, &app, &instance);
    return code == OPTIONS_GO_ON ? declare_ended(argv[0], &options, app, instance) : code;
}

int verb_retire(int argc, char **argv)
{
    struct retire options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_retire_options, &(struct argument_rules){1, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!options.reason)
        return options_complain(argv[0], "say why: --reason R");
    code = verb_confirm(argv[0], options.yes, "retire %s for good?", rest.items[0]);
    if (code != CLI_DONE)
        return code;
    struct buf path = BUF_INIT(0);
    buf_puts(&path, "/v1/apps/");
    text_url(&path, rest.items[0]);
    buf_puts(&path, "?reason=");
    text_url(&path, options.reason);
    return verb_ask(&(struct verb_request){.connection = &options.connection,
                                           .method = "DELETE",
                                           .path = buf_take(&path),
                                           .subject = memory_copy(rest.items[0]),
                                           .json = options.json,
                                           .line = memory_printf("%s: retired", rest.items[0])});
}
