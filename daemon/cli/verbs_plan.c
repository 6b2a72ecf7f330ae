/* `plan`: what would run, in which phase and form, and what is to be said about it. Needs no daemon; where
 * one answers, or with a database, the catalog's facts come in. */
#include "verbs.h"

#include "migration_files.h"
#include "output.h"
#include "plan_facts.h"
#include "plan_process.h"
#include "render_plan.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>
#include <schemagate/plan/plan.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct plan_options_given {
    struct connection connection;
    const char *database, *run_as;
    bool json, explain, offline;
};

const struct cli_option verb_plan_options[] = {
    {"database", 'd', OPTION_TEXT, "CONNINFO", "read the catalog's facts there: postgresql://… or key=value",
     offsetof(struct plan_options_given, database), NULL},
    {"run-as", 0, OPTION_TEXT, "ROLE", "the role that migrations run as (with --database)",
     offsetof(struct plan_options_given, run_as), NULL},
    {"offline", 0, OPTION_FLAG, NULL, "ask nobody: the text alone",
     offsetof(struct plan_options_given, offline), NULL},
    {"explain", 'e', OPTION_FLAG, NULL, "say why each statement stands where it does",
     offsetof(struct plan_options_given, explain), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the plans as JSON, a line for each file",
     offsetof(struct plan_options_given, json), NULL},
    OPTION_END};

/* What one call works with. */
struct planning {
    const struct plan_options_given *options;
    struct client *client; /* NULL: no daemon is asked */
    PGconn *database;      /* NULL: no database is asked */
    size_t errors;         /* files that are refused */
};

/* ---- one text ---- */

/* The daemon speaks JSON: what is no text is read here. So is everything where nobody named the daemon, and
 * none is there that can plan. */
static json_t *plan_by_daemon(const struct planning *planning, const struct plan_text *text, int *code)
{
    json_t *sql = strlen(text->sql) == text->length ? json_stringn(text->sql, text->length) : NULL;
    if (!sql)
        return NULL;
    json_t *body = json_pack("{s:o}", "sql", sql);
    if (text->version > 0)
        json_object_set_new(body, "version", json_integer(text->version));
    struct reply reply;
    if (planning->options->connection.url)
        *code = client_call(planning->client, "POST", "/v1/plan", body, text->label, &reply);
    else
        client_exchange(planning->client, "POST", "/v1/plan", body, 0, &reply);
    json_t *plan = reply.status == 200 ? json_incref(reply.body) : NULL;
    reply_free(&reply);
    return plan;
}

/* Read again with the facts, where a database is there to ask. */
static json_t *plan_here(const struct planning *planning, const struct plan_text *text, int *code)
{
    json_t *document = plan_process_read(text, NULL), *plan = NULL;

    if (document && planning->database && json_array_size(json_object_get(document, "names"))) {
        char *names = json_dumps(json_object_get(document, "names"), JSON_COMPACT);
        char *facts = plan_facts_read(planning->database, names,
                                      planning->options->run_as ? planning->options->run_as : "");
        json_decref(document);
        document = facts ? plan_process_read(text, facts) : NULL;
        free(names);
        free(facts);
    }
    *code = document ? CLI_DONE : CLI_UNREACHABLE;
    plan = json_incref(json_object_get(document, "plan"));
    json_decref(document);
    return plan;
}

static void print_plan(const struct planning *planning, const struct plan_text *text, const json_t *plan)
{
    if (planning->options->json) {
        json_t *line = json_pack("{s:s}", "file", text->label);
        json_object_update(line, (json_t *)plan);
        output_json(line);
        json_decref(line);
        return;
    }
    struct buf screen = BUF_INIT(0);
    render_plan(&screen, plan, text,
                &(struct render_plan){planning->options->explain, output_wants_colour(stdout)});
    fwrite(buf_text(&screen), 1, screen.length, stdout);
    buf_free(&screen);
}

static int plan_text(struct planning *planning, const struct plan_text *text)
{
    int code = CLI_DONE;
    json_t *plan = planning->client ? plan_by_daemon(planning, text, &code) : NULL;
    if (!plan && code == CLI_DONE)
        plan = plan_here(planning, text, &code);
    if (plan) {
        print_plan(planning, text, plan);
        planning->errors += render_plan_errors(plan) > 0;
    }
    json_decref(plan);
    return code;
}

/* ---- where the texts come from ---- */

static int complain_file(const struct buf *errors)
{
    fprintf(stderr, "schemagate plan: %s  next: correct what is named above and plan again\n",
            buf_text(errors));
    return CLI_USAGE;
}

static int plan_file(struct planning *planning, const char *path, int64_t version)
{
    struct buf errors = BUF_INIT(0);
    bool standard_input = strcmp(path, "-") == 0;
    struct plan_text text = {.label = standard_input ? "(stdin)" : path, .version = version};

    text.sql = migration_file_read(path, &text.length, &errors);
    int code = text.sql ? plan_text(planning, &text) : complain_file(&errors);
    free(text.sql);
    buf_free(&errors);
    return code;
}

static int plan_directory(struct planning *planning, char *path)
{
    struct migration_files files;
    struct buf errors = BUF_INIT(0);
    int code = CLI_DONE;

    migration_files_collect(&files, &path, 1, &errors);
    if (!files.count)
        code = complain_file(&errors);
    for (size_t n = 0; n < files.count && code == CLI_DONE; n++)
        code = plan_file(planning, files.items[n].path, files.items[n].version);
    migration_files_free(&files);
    buf_free(&errors);
    return code;
}

/* A file may have any name: what an ORM printed has none yet. */
static int plan_path(struct planning *planning, char *path)
{
    struct stat facts;
    const char *slash = strrchr(path, '/');
    int64_t version = plan_file_version(slash ? slash + 1 : path, NULL);

    if (strcmp(path, "-") != 0 && stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        return plan_directory(planning, path);
    return plan_file(planning, path, version > 0 ? version : 0);
}

int verb_plan(int argc, char **argv)
{
    struct plan_options_given options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_plan_options, &(struct argument_rules){1, -1, false},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct planning planning = {.options = &options};
    code = CLI_DONE;
    if (options.database) {
        planning.database = plan_facts_connect(options.database);
        code = planning.database ? CLI_DONE : CLI_UNREACHABLE;
    } else if (!options.offline) {
        planning.client = client_open(&options.connection);
        code = planning.client ? CLI_DONE : CLI_USAGE;
    }
    for (int n = 0; n < rest.count && code == CLI_DONE; n++)
        code = plan_path(&planning, rest.items[n]);
    client_close(planning.client);
    PQfinish(planning.database);
    return code == CLI_DONE && planning.errors ? CLI_FAILED : code;
}
