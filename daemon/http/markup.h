/* Pieces of HTML with {{name}} in the places of values. */
#ifndef HTTP_MARKUP_H
#define HTTP_MARKUP_H

#include <schemagate/base/buf.h>

#include <stdbool.h>
#include <stddef.h>

struct markup_value {
    const char *name;
    const char *text; /* NULL: nothing stands there */
    bool is_html;     /* it is markup already; else it is escaped */
};

/* Writes the piece with its values. A name that is not among them is a mistake in the program. */
void markup_write(struct buf *out, const char *piece, const struct markup_value *values, size_t count);

void markup_escape(struct buf *out, const char *text);

#define MARKUP_WRITE(out, piece, ...)                                                            \
    markup_write(out, piece, (const struct markup_value[]){__VA_ARGS__},                        \
                   sizeof((const struct markup_value[]){__VA_ARGS__}) /                            \
                       sizeof(struct markup_value))

#endif
