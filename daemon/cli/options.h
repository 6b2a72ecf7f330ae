/* One option parser for all verbs: each verb has a table of rows, and a struct that the rows point
 * into by offset. Usage text comes from the same table. */
#ifndef SCHEMAGATE_CLI_OPTIONS_H
#define SCHEMAGATE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct version_range {
    int64_t min, max;
};

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_CHOICE,  /* const char *: one of the words in `argument`, which "|" separates */
    OPTION_NUMBER,  /* int64_t, not negative */
    OPTION_SECONDS, /* int64_t: milliseconds; written as seconds, decimals allowed */
    OPTION_RANGE    /* struct version_range: "41..43", or "41" for 41..41 */
};

/* A row; a table ends with a row whose name is NULL. */
struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *argument; /* what usage calls the value; NULL for flags */
    const char *help;     /* one line */
    size_t offset;        /* into the verb's struct */
    const char *environment; /* the variable that stands in where it is not given, or NULL */
};

#define OPTION_END {.name = NULL}

/* Rows that many verbs have, for a struct with a member of that name. */
#define OPTION_JSON(type) \
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON", offsetof(type, json), NULL}
#define OPTION_YES(type) {"yes", 'y', OPTION_FLAG, NULL, "do not ask", offsetof(type, yes), NULL}

/* How to reach the daemon: the first member of every verb's struct. */
struct connection {
    const char *url, *token_file, *ca_file, *certificate_file, *key_file;
};

/* The rows that every verb has beside its own. */
extern const struct cli_option connection_options[];

/* What is left when the options are read. */
struct arguments {
    char **items; /* inside argv */
    int count;
};

struct argument_rules {
    int least, most;       /* number of arguments; most -1: any */
    bool stop_at_argument; /* what follows the first argument is not ours to read */
};

#define OPTIONS_GO_ON (-1)

/* Reads argv by the table and the environment into *into. Returns OPTIONS_GO_ON, or the exit code:
 * --help printed the usage, or a mistake was named on stderr. */
int options_parse(int argc, char **argv, const struct cli_option *table,
                  const struct argument_rules *rules, void *into, struct arguments *rest);

/* "  --timeout S   how long to wait", a line for each row. */
void options_print(FILE *out, const struct cli_option *table);

/* The readers of single values; false if the text is not one. Versions: 0 to 2^48 - 1. */
bool option_read_number(const char *text, int64_t *number);
bool option_read_seconds(const char *text, int64_t *milliseconds);
bool option_read_version(const char *text, int64_t *version);
bool option_read_range(const char *text, struct version_range *range);
bool option_read_choice(const char *text, const char *choices);

/* Says "schemagate VERB: <message>" and where to read more; returns CLI_USAGE. */
int options_complain(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
