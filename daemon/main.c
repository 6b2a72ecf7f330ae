/* The program's verbs: the daemon's own in front of the command line's. */
#include <schemagate/cli/cli.h>
#include <schemagate/service/planner.h>
#include <schemagate/service/service.h>

#include <stdio.h>
#include <string.h>

static int run_completion(int argc, char **argv);
static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct cli_verb daemon_verbs[] = {
    {"daemon", service_main, "[-c FILE]", "the service", NULL},
    {"check-config", service_check_config, "[-c FILE] [--sample|--reference]",
     "read the configuration, and say all that is wrong", NULL},
    {.name = NULL},
};

static const struct cli_verb help_verbs[] = {
    {"completion", run_completion, "bash|zsh|fish", "completions for a shell", NULL},
    {"version", run_version, "", "the version of this program", NULL},
    {"help", run_help, "[VERB]", "this text, or more about a verb", NULL},
    {.name = NULL},
};

static const struct cli_verb *const verb_tables[] = {daemon_verbs, cli_verbs, help_verbs, NULL};

/* The planner's worker, which the daemon starts. */
static int run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("schemagate " SCHEMAGATE_VERSION);
    return CLI_DONE;
}

static int run_completion(int argc, char **argv)
{
    return cli_print_completion(verb_tables, argc == 2 ? argv[1] : NULL);
}

static int run_help(int argc, char **argv)
{
    cli_print_help(verb_tables, argc > 1 ? argv[1] : NULL);
    return CLI_DONE;
}

/* "--help" and the like, for which everybody's fingers reach. */
static const char *verb_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 ? "version" : word;
}

/* The processes in which SQL is read are started by the daemon and by `plan`, and nobody's to type. */
static const struct {
    const char *option;
    int (*run)(int argc, char **argv);
} planners[] = {
    {"--worker", planner_worker_main},
    {"--document", planner_document_main},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof planners / sizeof *planners; i++)
        if (strcmp(argv[1], "plan") == 0 && strcmp(argv[2], planners[i].option) == 0)
            return planners[i].run(argc - 2, argv + 2);
    if (argc < 2) {
        fputs("schemagate: say what to do\n  next: schemagate help\n", stderr);
        return CLI_USAGE;
    }
    const struct cli_verb *verb = cli_find_verb(verb_tables, verb_name(argv[1]));
    if (!verb) {
        fprintf(stderr, "schemagate: there is no verb \"%s\"\n  next: schemagate help\n", argv[1]);
        return CLI_USAGE;
    }
    return verb->run(argc - 1, argv + 1);
}
