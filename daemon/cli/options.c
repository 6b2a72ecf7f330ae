/* The option parser: option tables into getopt_long and back. */
#include "options.h"

#include "verbs.h"

#include <schemagate/base/buf.h>
#include <schemagate/cli/cli.h>
#include <schemagate/plan/plan.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 48
#define FIRST_LONG_VALUE 256 /* getopt's value of row n is this plus n: above every letter */

const struct cli_option connection_options[] = {
    {"url", 0, OPTION_TEXT, "URL", "where the daemon is: http://HOST:PORT, https://…, unix:/PATH",
     offsetof(struct connection, url), "SCHEMAGATE_URL"},
    {"token-file", 0, OPTION_TEXT, "FILE", "the file that holds the bearer token",
     offsetof(struct connection, token_file), "SCHEMAGATE_TOKEN_FILE"},
    {"ca-file", 0, OPTION_TEXT, "FILE", "the authority that signed the daemon's certificate",
     offsetof(struct connection, ca_file), "SCHEMAGATE_CA_FILE"},
    {"certificate-file", 0, OPTION_TEXT, "FILE", "our own certificate",
     offsetof(struct connection, certificate_file), "SCHEMAGATE_CERTIFICATE_FILE"},
    {"key-file", 0, OPTION_TEXT, "FILE", "the key of our own certificate",
     offsetof(struct connection, key_file), "SCHEMAGATE_KEY_FILE"},
    OPTION_END};

/* All rows of one call: the verb's own, then the connection's. */
struct row_set {
    const struct cli_option *rows[ROWS_MAX];
    size_t count;
};

static void row_set_add(struct row_set *set, const struct cli_option *table)
{
    for (; table && table->name; table++) {
        if (set->count == ROWS_MAX)
            abort();
        set->rows[set->count++] = table;
    }
}

bool option_read_number(const char *text, int64_t *number)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *number = value;
    return true;
}

bool option_read_seconds(const char *text, int64_t *milliseconds)
{
    if (strspn(text, "0123456789.") != strlen(text) || *text < '0' || *text > '9')
        return false;
    char *end;
    double seconds = strtod(text, &end);
    if (*end || seconds > 1e9)
        return false;
    *milliseconds = (int64_t)llround(seconds * 1000);
    return true;
}

bool option_read_version(const char *text, int64_t *version)
{
    int64_t value;
    if (!option_read_number(text, &value) || value > PLAN_VERSION_MAX)
        return false;
    *version = value;
    return true;
}

bool option_read_range(const char *text, struct version_range *range)
{
    struct version_range read;
    const char *dots = strstr(text, "..");
    if (!dots) {
        if (!option_read_version(text, &read.min))
            return false;
        read.max = read.min;
    } else {
        char low[32];
        size_t length = (size_t)(dots - text);
        if (length >= sizeof(low))
            return false;
        memcpy(low, text, length);
        low[length] = '\0';
        if (!option_read_version(low, &read.min) || !option_read_version(dots + 2, &read.max) ||
            read.min > read.max)
            return false;
    }
    *range = read;
    return true;
}

bool option_read_choice(const char *text, const char *choices)
{
    size_t length = strlen(text);
    for (const char *word = choices; word && length; word = strchr(word, '|')) {
        word += *word == '|';
        if (strcspn(word, "|") == length && strncmp(word, text, length) == 0)
            return true;
    }
    return false;
}

/* Writes a value where the row points to; false if it is not one. */
static bool row_store(const struct cli_option *row, const char *text, void *into)
{
    char *place = (char *)into + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)(void *)place = true;
        return true;
    case OPTION_CHOICE:
        if (!option_read_choice(text, row->argument))
            return false;
        break;
    case OPTION_TEXT:
        break;
    case OPTION_NUMBER:
        return option_read_number(text, (int64_t *)(void *)place);
    case OPTION_SECONDS:
        return option_read_seconds(text, (int64_t *)(void *)place);
    case OPTION_RANGE:
        return option_read_range(text, (struct version_range *)(void *)place);
    }
    *(const char **)(void *)place = text;
    return true;
}

/* What the value of a row must be: this, and for a choice its words. */
static const char *kind_expects(const struct cli_option *row)
{
    static const char *const texts[] = {
        [OPTION_CHOICE] = "one of ",
        [OPTION_NUMBER] = "a whole number",
        [OPTION_SECONDS] = "a number of seconds",
        [OPTION_RANGE] = "a range of versions such as 41..43",
    };
    return texts[row->kind];
}

int options_complain(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "schemagate %s: ", verb);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n  next: schemagate help %s\n", verb);
    return CLI_USAGE;
}

static int store_environment(const char *verb, const struct row_set *set, const bool *given,
                             void *into)
{
    for (size_t n = 0; n < set->count; n++) {
        const struct cli_option *row = set->rows[n];
        const char *value = row->environment && !given[n] ? getenv(row->environment) : NULL;
        if (value && *value && !row_store(row, value, into))
            return options_complain(verb, "%s is \"%s\", which is not %s%s", row->environment,
                                    value, kind_expects(row),
                                    row->kind == OPTION_CHOICE ? row->argument : "");
    }
    return OPTIONS_GO_ON;
}

/* getopt's own tables, made from ours. */
static void fill_getopt(const struct row_set *set, bool stop, struct option *longs,
                        struct buf *letters)
{
    buf_puts(letters, stop ? "+:h" : ":h");
    for (size_t n = 0; n < set->count; n++) {
        const struct cli_option *row = set->rows[n];
        int has_argument = row->kind == OPTION_FLAG ? no_argument : required_argument;
        longs[n] = (struct option){row->name, has_argument, NULL, FIRST_LONG_VALUE + (int)n};
        if (row->letter)
            buf_printf(letters, "%c%s", row->letter, has_argument == required_argument ? ":" : "");
    }
    longs[set->count] = (struct option){"help", no_argument, NULL, 'h'};
    longs[set->count + 1] = (struct option){0};
}

static size_t find_row(const struct row_set *set, int value)
{
    if (value >= FIRST_LONG_VALUE)
        return (size_t)(value - FIRST_LONG_VALUE);
    size_t n = 0;
    while (n < set->count && set->rows[n]->letter != value)
        n++;
    return n;
}

/* optopt is the letter, where it is one: then getopt has not gone past its word yet. */
static int complain_of_unknown(char **argv)
{
    if (isdigit(optopt))
        return options_complain(argv[0], "there is no option -%c: what begins with \"-\" and is none stands "
                                         "behind --", optopt);
    if (isalpha(optopt))
        return options_complain(argv[0], "there is no option -%c", optopt);
    return options_complain(argv[0], "there is no option %s (or it is given wrongly)", argv[optind - 1]);
}

static int read_options(int argc, char **argv, const struct row_set *set, const char *letters,
                        const struct option *longs, bool *given, void *into)
{
    optind = 0; /* GNU: begin anew */
    opterr = 0;
    int value;
    while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (value == 'h') {
            verb_print_usage(stdout, argv[0]);
            return CLI_DONE;
        }
        if (value == '?')
            return complain_of_unknown(argv);
        if (value == ':')
            return options_complain(argv[0], "option %s needs a value", argv[optind - 1]);
        size_t n = find_row(set, value);
        given[n] = true;
        if (!row_store(set->rows[n], optarg, into))
            return options_complain(argv[0], "--%s is \"%s\", which is not %s%s",
                                    set->rows[n]->name, optarg, kind_expects(set->rows[n]),
                                    set->rows[n]->kind == OPTION_CHOICE ? set->rows[n]->argument
                                                                        : "");
    }
    return OPTIONS_GO_ON;
}

int options_parse(int argc, char **argv, const struct cli_option *table,
                  const struct argument_rules *rules, void *into, struct arguments *rest)
{
    struct row_set set = {.count = 0};
    struct option longs[ROWS_MAX + 2];
    bool given[ROWS_MAX] = {false};
    struct buf letters = BUF_INIT(0);

    row_set_add(&set, table);
    row_set_add(&set, connection_options);
    fill_getopt(&set, rules->stop_at_argument, longs, &letters);
    int code = read_options(argc, argv, &set, buf_text(&letters), longs, given, into);
    buf_free(&letters);
    if (code == OPTIONS_GO_ON)
        code = store_environment(argv[0], &set, given, into);
    if (code != OPTIONS_GO_ON)
        return code;

    *rest = (struct arguments){argv + optind, argc - optind};
    if (rest->count < rules->least)
        return options_complain(argv[0], "an argument is missing");
    if (rules->most >= 0 && rest->count > rules->most)
        return options_complain(argv[0], "\"%s\" is one argument too many",
                                rest->items[rules->most]);
    return OPTIONS_GO_ON;
}

void options_print(FILE *out, const struct cli_option *table)
{
    for (; table && table->name; table++) {
        struct buf left = BUF_INIT(0);
        if (table->letter)
            buf_printf(&left, "-%c, ", table->letter);
        else
            buf_puts(&left, "    ");
        buf_printf(&left, "--%s", table->name);
        if (table->argument)
            buf_printf(&left, " %s", table->argument);
        fprintf(out, "  %-34s  %s", buf_text(&left), table->help);
        if (table->environment)
            fprintf(out, " [%s]", table->environment);
        fputc('\n', out);
        buf_free(&left);
    }
}
