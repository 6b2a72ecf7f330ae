/* The command line: a table of verbs, each with a table of options. */
#ifndef SCHEMAGATE_CLI_CLI_H
#define SCHEMAGATE_CLI_CLI_H

/* Exit codes, as documented for scripts. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,       /* usage, configuration, input that the server calls wrong */
    CLI_REFUSED = 3,     /* 401, 403, 409, a refused plan; cancelled or undone */
    CLI_TOO_OLD = 4,     /* schema incompatible */
    CLI_UNREACHABLE = 5, /* unreachable or 5xx: worth another try */
    CLI_TIMEOUT = 124,   /* the wait ran out */
    CLI_NOT_EXECUTABLE = 126,
    CLI_NOT_FOUND = 127,
    CLI_SIGNAL = 128 /* plus the signal's number */
};

struct cli_option; /* a row of a verb's option table; see daemon/cli/options.h */

struct cli_verb {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
    const char *arguments;             /* for usage: "VERSION --for expanded|complete" */
    const char *summary;               /* one line for `help`; NULL: the verb is not listed */
    const struct cli_option *options;  /* NULL: the verb reads its arguments by itself */
};

/* All client verbs; ends with a row whose name is NULL. main.c puts the daemon's verbs in front. */
extern const struct cli_verb cli_verbs[];

/* The verb of that name in the tables (which end with NULL), or NULL. */
const struct cli_verb *cli_find_verb(const struct cli_verb *const tables[], const char *name);

/* `schemagate help [VERB]`, over the verbs of both tables. A verb that is NULL or unknown: all. */
void cli_print_help(const struct cli_verb *const tables[], const char *verb);

/* `schemagate completion SHELL`: "bash", "zsh" or "fish". CLI_USAGE after saying so for another, or NULL. */
int cli_print_completion(const struct cli_verb *const tables[], const char *shell);

#endif
