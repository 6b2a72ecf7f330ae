/* The table of client verbs, and what they share. */
#include "verbs.h"

#include "output.h"
#include "text.h"

#include <schemagate/base/buf.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct cli_verb cli_verbs[] = {
    {"plan", verb_plan, "FILE|DIR… | -", "what would run, in which phase and form; needs no daemon",
     verb_plan_options},
    {"submit", verb_submit, "FILE|DIR… | -", "send migrations, in version order", verb_submit_options},
    {"status", verb_status, "[VERSION]", "the state of everything, or of one migration",
     verb_status_options},
    {"wait", verb_wait, "VERSION --for expanded|hidden|complete", "wait for a phase, for scripts",
     verb_wait_options},
    {"gate", verb_gate, "VERSION", "what holds a contract back, and what to do about it",
     verb_gate_options},
    {"approve", verb_steer, "VERSION", "approve a contract", verb_steer_options},
    {"pause", verb_steer, "[VERSION]", "hold a migration, or the whole daemon", verb_steer_options},
    {"resume", verb_steer, "[VERSION]", "go on after pause", verb_steer_options},
    {"retry", verb_steer, "VERSION", "try a failed phase again", verb_steer_options},
    {"undo", verb_steer, "VERSION", "take an expanded migration back", verb_steer_options},
    {"restore", verb_steer, "VERSION", "bring back what its contract has hidden", verb_steer_options},
    {"unblock", verb_steer, "VERSION", "end the sessions that a migration waits for", verb_steer_options},
    {"cancel", verb_steer, "VERSION", "drop a migration that has not begun", verb_steer_options},
    {"waive", verb_waive, "VERSION CODE [SUBJECT…] --for S --reason R",
     "let a hold pass, for a time", verb_waive_options},
    {"terminate", verb_terminate, "PID --reason R", "end a database session that holds a gate",
     verb_terminate_options},
    {"replicas", verb_replicas, "", "the fleet", verb_replicas_options},
    {"evict", verb_evict, "APP/INSTANCE --reason R", "declare that a replica has ended",
     verb_evict_options},
    {"attest", verb_attest, "APP/INSTANCE --reason R",
     "attest, as an agent, that a replica has ended", verb_attest_options},
    {"retire", verb_retire, "APP --reason R", "give an application up for good",
     verb_retire_options},
    {"admission", verb_admission, "APP MIN..MAX", "may this release start, or be rolled back to",
     verb_admission_options},
    {"declare", verb_declare, "APP MIN..MAX", "say what is meant to run", verb_declare_options},
    {"compatible", verb_compatible, "APP RELEASE MAX --reason R",
     "say that a release works up to MAX after all", verb_compatible_options},
    {"events", verb_events, "", "the audit trail", verb_events_options},
    {"baseline", verb_baseline, "VERSION", "adopt an existing database", verb_baseline_options},
    {"run", verb_run, "--app A --schema MIN..MAX -- COMMAND…",
     "start an application under the gate", verb_run_options},
    {"dev", verb_dev, "--migrations DIR [--] [COMMAND…]",
     "development: migrate all phases now, then run the command", verb_dev_options},
    {"pin-sql", verb_pin_sql, "", "connect hooks that pin sessions, for drivers and pools",
     verb_pin_sql_options},
    {"token", verb_token, "new --role R [--app A] --name N", "make a token", verb_token_options},
    {.name = NULL},
};

const struct cli_verb *cli_find_verb(const struct cli_verb *const tables[], const char *name)
{
    for (; *tables; tables++)
        for (const struct cli_verb *verb = *tables; verb->name; verb++)
            if (strcmp(verb->name, name) == 0)
                return verb;
    return NULL;
}

static void print_usage(FILE *out, const struct cli_verb *verb)
{
    fprintf(out, "usage: schemagate %s%s%s%s\n  %s\n", verb->name,
            verb->options ? " [OPTIONS]" : "", *verb->arguments ? " " : "", verb->arguments,
            verb->summary);
    if (!verb->options)
        return;
    fputs("\noptions:\n", out);
    options_print(out, verb->options);
    fputs("\nthe daemon:\n", out);
    options_print(out, connection_options);
}

void verb_print_usage(FILE *out, const char *name)
{
    const struct cli_verb *verb = cli_find_verb((const struct cli_verb *const[]){cli_verbs, NULL},
                                                name);
    if (verb)
        print_usage(out, verb);
}

void cli_print_help(const struct cli_verb *const tables[], const char *name)
{
    const struct cli_verb *found = name ? cli_find_verb(tables, name) : NULL;
    if (found && found->summary) {
        print_usage(stdout, found);
        return;
    }
    puts("schemagate runs schema migrations beside rolling deployments.\n\nusage: schemagate VERB "
         "…\n");
    for (; *tables; tables++)
        for (const struct cli_verb *verb = *tables; verb->name; verb++)
            if (verb->summary)
                printf("  %-13s %s\n", verb->name, verb->summary);
    puts("\nschemagate help VERB says more about one of them.");
}

bool verb_read_version(const char *verb, const char *text, int64_t *version)
{
    if (option_read_version(text, version) && *version > 0)
        return true;
    options_complain(verb, "\"%s\" is not a schema version (a whole number such as 42)", text);
    return false;
}

bool verb_split_replica(const char *verb, char *text, const char **app, const char **instance)
{
    char *slash = strchr(text, '/');
    if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/')) {
        options_complain(verb, "\"%s\" does not name a replica as APP/INSTANCE", text);
        return false;
    }
    *slash = '\0';
    *app = text;
    *instance = slash + 1;
    return true;
}

char *verb_path(const char *first, ...)
{
    struct buf path = BUF_INIT(0);
    va_list parts;
    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *)) {
        if (*part == '/')
            buf_puts(&path, part);
        else
            text_url(&path, part);
    }
    va_end(parts);
    return buf_take(&path);
}

char *verb_migration(int64_t version)
{
    return memory_printf("migration %" PRId64, version);
}

static int print_answer(const struct verb_request *request, const struct reply *reply)
{
    if (request->json && reply->body)
        output_json(reply->body);
    else if (request->line)
        puts(request->line);
    else
        return request->print(reply, request->context);
    return CLI_DONE;
}

int verb_ask(const struct verb_request *request)
{
    struct client *client = client_open(request->connection);
    int code = CLI_USAGE;
    if (client) {
        struct reply reply;
        code = client_call(client, request->method, request->path, json_incref(request->body),
                           request->subject, &reply);
        if (code == CLI_DONE)
            code = print_answer(request, &reply);
        reply_free(&reply);
    }
    client_close(client);
    json_decref(request->body);
    free(request->subject);
    free(request->line);
    free(request->path);
    return code;
}

int verb_confirm(const char *verb, bool yes, const char *format, ...)
{
    if (yes)
        return CLI_DONE;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return options_complain(verb,
                                "needs --yes where nobody can be asked (this is not a terminal)");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" [y/N] ", stderr);
    char answer[16] = "";
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return CLI_DONE;
    fputs("schemagate: nothing was changed\n", stderr);
    return CLI_FAILED;
}
