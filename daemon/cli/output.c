/* Tables and colour for terminals. */
#include "output.h"

#include "text.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESET "\033[0m"
#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"

/* Words of the interface that have a colour. */
static const struct {
    const char *word, *colour;
} colours[] = {
    {"error", RED},       {"warning", YELLOW},    {"note", DIM},       {"allowed", DIM},
    {"failed", RED},      {"lost", RED},          {"too-old", RED},    {"away", RED},
    {"retrying", YELLOW}, {"waiting", YELLOW},    {"paused", YELLOW},  {"standby", YELLOW},
    {"starting", YELLOW}, {"connecting", YELLOW}, {"running", GREEN},  {"live", GREEN},
    {"leader", GREEN},    {"connected", GREEN},   {"complete", GREEN}, {"done", GREEN},
    {"gone", DIM},        {"cancelled", DIM},     {"undone", DIM},
};

bool output_wants_colour(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static void paint(struct buf *out, const char *text, const char *colour)
{
    text_after(out, colour, text);
    buf_puts(out, *colour ? RESET : "");
}

static const char *colour_of(const char *word)
{
    for (size_t n = 0; n < sizeof(colours) / sizeof(colours[0]); n++)
        if (strcmp(colours[n].word, word) == 0)
            return colours[n].colour;
    return "";
}

void output_word(struct buf *out, const char *text, bool colour)
{
    paint(out, text, colour ? colour_of(text) : "");
}

void output_bold(struct buf *out, const char *text, bool colour)
{
    paint(out, text, colour ? BOLD : "");
}

struct table table_new(size_t columns, const char *const heads[])
{
    struct table table = {.columns = columns};
    table_add(&table, heads);
    return table;
}

void table_add(struct table *table, const char *const texts[])
{
    table->cells = memory_grow(table->cells, table->count + table->columns, sizeof(*table->cells));
    for (size_t column = 0; column < table->columns; column++) {
        struct buf cell = BUF_INIT(0);
        text_clean(&cell, texts[column] ? texts[column] : "");
        table->cells[table->count++] = buf_take(&cell);
    }
}

/* Characters of UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t n = column; n < table->count; n += table->columns) {
        size_t width = width_of(table->cells[n]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void append_cell(const struct table *table, size_t n, size_t width, struct buf *out,
                        bool colour)
{
    const char *cell = table->cells[n];
    if (n < table->columns)
        output_bold(out, cell, colour);
    else
        output_word(out, cell, colour);
    if (n % table->columns + 1 == table->columns)
        buf_puts(out, "\n");
    else
        buf_printf(out, "%*s", (int)(width - width_of(cell) + 2), "");
}

void table_finish(struct table *table, struct buf *out, bool colour)
{
    size_t *widths = memory_new(table->columns * sizeof(*widths));
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t n = 0; table->count > table->columns && n < table->count; n++)
        append_cell(table, n, widths[n % table->columns], out, colour);
    for (size_t n = 0; n < table->count; n++)
        free(table->cells[n]);
    free(table->cells);
    free(widths);
    *table = (struct table){0};
}

void output_json(const json_t *value)
{
    json_dumpf(value, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
}
