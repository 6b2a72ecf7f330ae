/* Pieces of HTML with {{name}} in the places of values. */
#ifndef HTTP_TEMPLATE_H
#define HTTP_TEMPLATE_H

#include <schemagate/base/buf.h>

#include <stdbool.h>
#include <stddef.h>

struct template_value {
    const char *name;
    const char *text; /* NULL: nothing stands there */
    bool is_html;     /* it is markup already; else it is escaped */
};

/* Writes the piece with its values. A name that is not among them is a mistake in the program. */
void template_write(struct buf *out, const char *piece, const struct template_value *values, size_t count);

void template_escape(struct buf *out, const char *text);

#define TEMPLATE_WRITE(out, piece, ...)                                                            \
    template_write(out, piece, (const struct template_value[]){__VA_ARGS__},                        \
                   sizeof((const struct template_value[]){__VA_ARGS__}) /                            \
                       sizeof(struct template_value))

#endif
