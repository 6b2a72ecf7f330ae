/* What an operator does about a hold that nothing else clears: let it pass for a time, or end a session. */
#include "verbs.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <string.h>

/* ---- waive ---- */

struct waive {
    struct connection connection;
    const char *reason;
    int64_t for_ms;
    bool yes, json;
};

const struct cli_option verb_waive_options[] = {
    {"for", 'f', OPTION_SECONDS, "S", "how many seconds it counts, at most a week (required)",
     offsetof(struct waive, for_ms), NULL},
    {"reason", 'r', OPTION_TEXT, "R", "why that is safe (required)", offsetof(struct waive, reason), NULL},
    OPTION_YES(struct waive),
    OPTION_JSON(struct waive),
    OPTION_END};

static json_t *waive_body(const struct waive *options, const struct arguments *rest)
{
    json_t *subjects = json_array();
    for (int n = 2; n < rest->count; n++)
        json_array_append_new(subjects, json_string(rest->items[n]));
    return json_pack("{s:s, s:o, s:I, s:s}", "code", rest->items[1], "subjects", subjects,
                     "for_seconds", (json_int_t)(options->for_ms / 1000), "reason", options->reason);
}

int verb_waive(int argc, char **argv)
{
    struct waive options = {0};
    struct arguments rest;
    int64_t version = 0;
    int code = options_parse(argc, argv, verb_waive_options, &(struct argument_rules){2, -1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    if (!options.reason)
        return options_complain(argv[0], "say why that is safe: --reason R");
    if (options.for_ms < 1000)
        return options_complain(argv[0], "say how long it counts: --for SECONDS");
    code = verb_confirm(argv[0], options.yes, "let %s pass for migration %" PRId64 "?", rest.items[1],
                        version);
    if (code != CLI_DONE)
        return code;
    return verb_ask(&(struct verb_request){
        .connection = &options.connection,
        .method = "POST",
        .path = memory_printf("/v1/migrations/%" PRId64 "/waive", version),
        .body = waive_body(&options, &rest),
        .subject = verb_migration(version),
        .json = options.json,
        .line = memory_printf("%" PRId64 ": %s is waived for %" PRId64 " s", version, rest.items[1],
                              options.for_ms / 1000)});
}

/* ---- terminate ---- */

struct terminate {
    struct connection connection;
    const char *reason, *started;
    bool yes, json;
};

const struct cli_option verb_terminate_options[] = {
    {"reason", 'r', OPTION_TEXT, "R", "why, for the audit trail (required)",
     offsetof(struct terminate, reason), NULL},
    {"started", 's', OPTION_TEXT, "TIME", "only if the session began then, as the gate says it",
     offsetof(struct terminate, started), NULL},
    OPTION_YES(struct terminate),
    OPTION_JSON(struct terminate),
    OPTION_END};

int verb_terminate(int argc, char **argv)
{
    struct terminate options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_terminate_options, &(struct argument_rules){1, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!options.reason)
        return options_complain(argv[0], "say why: --reason R");
    if (strspn(rest.items[0], "0123456789") != strlen(rest.items[0]))
        return options_complain(argv[0], "name the session by its pid: schemagate gate VERSION shows it");
    code = verb_confirm(argv[0], options.yes, "terminate the database session %s?", rest.items[0]);
    if (code != CLI_DONE)
        return code;
    return verb_ask(&(struct verb_request){
        .connection = &options.connection,
        .method = "POST",
        .path = verb_path("/v1/sessions/", rest.items[0], "/terminate", NULL),
        .body = json_pack("{s:s, s:s*}", "reason", options.reason, "backend_start", options.started),
        .subject = memory_printf("session %s", rest.items[0]),
        .json = options.json,
        .line = memory_printf("session %s: terminated", rest.items[0])});
}
