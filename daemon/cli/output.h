/* Output for people: tables and colour. Colour only on a terminal, and never under NO_COLOR. */
#ifndef SCHEMAGATE_CLI_OUTPUT_H
#define SCHEMAGATE_CLI_OUTPUT_H

#include <schemagate/base/buf.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* True if `out` is a terminal that wants colour. */
bool output_wants_colour(FILE *out);

/* Appends text (cleaned) in the colour that its word has: "failed" red, "live" green …; other words
 * as they are. */
void output_word(struct buf *out, const char *text, bool colour);

/* Appends text (cleaned) in bold. */
void output_bold(struct buf *out, const char *text, bool colour);

/* A table under construction. */
struct table {
    size_t columns;
    char **cells; /* owned; the heads first, then row by row */
    size_t count;
};

struct table table_new(size_t columns, const char *const heads[]);

/* Adds a row of table->columns texts, each copied and cleaned. */
void table_add(struct table *table, const char *const texts[]);
#define TABLE_ROW(table, ...) table_add(table, (const char *const[]){__VA_ARGS__})

/* Appends the table (nothing where it has no rows) and frees it. */
void table_finish(struct table *table, struct buf *out, bool colour);

/* Prints the server's JSON on stdout: indented on a terminal, else on one line. */
void output_json(const json_t *value);

#endif
