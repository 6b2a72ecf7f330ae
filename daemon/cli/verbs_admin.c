/* Set-up: adopting a database, and tokens. */
#include "verbs.h"

#include "output.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_DIGITS 64

struct baseline {
    struct connection connection;
    bool json;
};

const struct cli_option verb_baseline_options[] = {OPTION_JSON(struct baseline), OPTION_END};

struct token {
    struct connection connection;
    const char *role, *app, *name;
    bool json;
};

const struct cli_option verb_token_options[] = {
    {"role", 0, OPTION_CHOICE, "viewer|operator|app|agent|deployer", "what it may do (required)",
     offsetof(struct token, role), NULL},
    {"app", 'a', OPTION_TEXT, "A", "the application, for role app", offsetof(struct token, app),
     NULL},
    {"name", 'n', OPTION_TEXT, "N", "who holds it, for the audit trail (required)",
     offsetof(struct token, name), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print both as JSON", offsetof(struct token, json), NULL},
    OPTION_END};

static int print_baseline(const struct reply *reply, const void *version)
{
    printf("baseline %" PRId64 "%s\n", *(const int64_t *)version,
           reply->status == 201 ? "" : ": it is that already");
    return CLI_DONE;
}

int verb_baseline(int argc, char **argv)
{
    struct baseline options = {0};
    struct arguments rest;
    int64_t version;
    int code = options_parse(argc, argv, verb_baseline_options,
                             &(struct argument_rules){1, 1, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!verb_read_version(argv[0], rest.items[0], &version))
        return CLI_USAGE;
    return verb_ask(&(struct verb_request){.connection = &options.connection,
                                           .method = "POST",
                                           .path = memory_copy("/v1/baseline"),
                                           .body = json_pack("{s:I}", "version", (json_int_t)version),
                                           .json = options.json,
                                           .print = print_baseline,
                                           .context = &version});
}

/* Words of the tokens file stand between blanks. */
static bool is_word(const char *text)
{
    return *text && !text[strcspn(text, " \t\r\n#")];
}

/* The token is shown this once; the daemon's file holds only its digest. */
static void print_token(const struct token *options)
{
    char token[TOKEN_DIGITS + 1], digest[DIGEST_HEX_SIZE];
    digest_random_hex(TOKEN_DIGITS, token);
    digest_sha256_hex(token, strlen(token), digest);
    char *line = memory_printf("%s %s %s %s", options->name, options->role,
                               options->app ? options->app : "-", digest);
    if (options->json) {
        json_t *both = json_pack("{s:s, s:s}", "token", token, "line", line);
        output_json(both);
        json_decref(both);
    } else {
        fputs("schemagate: the token, shown only this once; keep it in a file for --token-file:\n",
              stderr);
        puts(token);
        fflush(stdout);
        fputs("schemagate: the line for the daemon's tokens_file; SIGHUP makes it known:\n",
              stderr);
        puts(line);
    }
    explicit_bzero(token, sizeof(token));
    free(line);
}

int verb_token(int argc, char **argv)
{
    struct token options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_token_options, &(struct argument_rules){1, 1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    if (strcmp(rest.items[0], "new") != 0)
        return options_complain(argv[0],
                                "\"%s\" is nothing that can be done with tokens; say `token new`",
                                rest.items[0]);
    if (!options.role || !options.name)
        return options_complain(argv[0], "%s is missing", options.role ? "--name N" : "--role R");
    bool for_app = strcmp(options.role, "app") == 0;
    if (for_app && !options.app)
        return options_complain(argv[0], "role app needs --app A");
    if (!for_app && options.app)
        return options_complain(argv[0], "--app goes only with --role app");
    if (!is_word(options.name) || (options.app && !is_word(options.app)))
        return options_complain(argv[0], "names in the tokens file hold no blanks and no #");
    print_token(&options);
    return CLI_DONE;
}
