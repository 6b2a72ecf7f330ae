/* `pin-sql`: connect hooks that pin an application's sessions, for common drivers and pools. */
#include "verbs.h"

#include <schemagate/base/buf.h>
#include <schemagate/base/embed.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

EMBED(pins_libpq, "daemon/cli/pins/libpq.txt");
EMBED(pins_psycopg, "daemon/cli/pins/psycopg.txt");
EMBED(pins_sqlalchemy, "daemon/cli/pins/sqlalchemy.txt");
EMBED(pins_django, "daemon/cli/pins/django.txt");
EMBED(pins_asyncpg, "daemon/cli/pins/asyncpg.txt");
EMBED(pins_node_postgres, "daemon/cli/pins/node-postgres.txt");
EMBED(pins_pgx, "daemon/cli/pins/pgx.txt");
EMBED(pins_hikaricp, "daemon/cli/pins/hikaricp.txt");
EMBED(pins_npgsql, "daemon/cli/pins/npgsql.txt");
EMBED(pins_rails, "daemon/cli/pins/rails.txt");
EMBED(pins_pgbouncer, "daemon/cli/pins/pgbouncer.txt");

static const struct {
    const char *driver, *hook;
} hooks[] = {
    {"libpq", pins_libpq},
    {"psycopg", pins_psycopg},
    {"sqlalchemy", pins_sqlalchemy},
    {"django", pins_django},
    {"asyncpg", pins_asyncpg},
    {"node-postgres", pins_node_postgres},
    {"pgx", pins_pgx},
    {"hikaricp", pins_hikaricp},
    {"npgsql", pins_npgsql},
    {"rails", pins_rails},
    {"pgbouncer", pins_pgbouncer},
};

#define DRIVERS "libpq|psycopg|sqlalchemy|django|asyncpg|node-postgres|pgx|hikaricp|npgsql|rails|pgbouncer"

struct pin_sql {
    struct connection connection;
    const char *driver;
    struct version_range schema;
};

const struct cli_option verb_pin_sql_options[] = {
    {"driver", 'd', OPTION_CHOICE, DRIVERS, "just this one", offsetof(struct pin_sql, driver), NULL},
    {"schema", 's', OPTION_RANGE, "MIN..MAX", "the versions that the release works with, filled in",
     offsetof(struct pin_sql, schema), "SCHEMAGATE_SCHEMA"},
    OPTION_END};

#define MARK_MIN "@MIN@"
#define MARK_MAX "@MAX@"
#define NOT_GIVEN (-1)

/* Without a range the hook says MIN and MAX. */
static void print_version(int64_t version, const char *word)
{
    if (version == NOT_GIVEN)
        fputs(word, stdout);
    else
        printf("%" PRId64, version);
}

static void print_hook(const char *hook, const struct version_range *schema)
{
    for (const char *mark; (mark = strchr(hook, '@')) != NULL; hook = mark) {
        fwrite(hook, 1, (size_t)(mark - hook), stdout);
        if (strncmp(mark, MARK_MIN, strlen(MARK_MIN)) == 0) {
            print_version(schema->min, "MIN");
            mark += strlen(MARK_MIN);
        } else if (strncmp(mark, MARK_MAX, strlen(MARK_MAX)) == 0) {
            print_version(schema->max, "MAX");
            mark += strlen(MARK_MAX);
        } else {
            putchar(*mark++); /* a decorator */
        }
    }
    fputs(hook, stdout);
}

int verb_pin_sql(int argc, char **argv)
{
    struct pin_sql options = {.schema = {NOT_GIVEN, NOT_GIVEN}};
    struct arguments rest;
    const char *blank = "";
    int code = options_parse(argc, argv, verb_pin_sql_options,
                             &(struct argument_rules){0, 0, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    for (size_t n = 0; n < sizeof(hooks) / sizeof(*hooks); n++) {
        if (options.driver && strcmp(options.driver, hooks[n].driver) != 0)
            continue;
        if (!options.driver)
            printf("%s=== %s ===\n\n", blank, hooks[n].driver);
        print_hook(hooks[n].hook, &options.schema);
        blank = "\n";
    }
    return CLI_DONE;
}
