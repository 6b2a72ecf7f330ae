/* The program's verbs: the daemon's own in front of the command line's. */
#include <schemagate/cli/cli.h>
#include <schemagate/service/planner.h>
#include <schemagate/service/service.h>

#include <stdio.h>
#include <string.h>

static int run_plan(int argc, char **argv);
static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct cli_verb daemon_verbs[] = {
    {"daemon", service_main, "[-c FILE]", "the service", NULL},
    {"check-config", service_check_config, "[-c FILE] [--sample|--reference]",
     "read the configuration, and say all that is wrong", NULL},
    {"plan", run_plan, "--worker", NULL, NULL},
    {.name = NULL},
};

static const struct cli_verb help_verbs[] = {
    {"version", run_version, "", "the version of this program", NULL},
    {"help", run_help, "[VERB]", "this text, or more about a verb", NULL},
    {.name = NULL},
};

static const struct cli_verb *const verb_tables[] = {daemon_verbs, cli_verbs, help_verbs, NULL};

/* The planner's worker, which the daemon starts. */
static int run_plan(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--worker") == 0)
        return planner_worker_main();
    fputs("schemagate plan: planning without a daemon is not available in this version\n"
          "  next: schemagate submit FILE, which reads the file before anything runs\n",
          stderr);
    return CLI_USAGE;
}

static int run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("schemagate " SCHEMAGATE_VERSION);
    return CLI_DONE;
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

int main(int argc, char **argv)
{
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
