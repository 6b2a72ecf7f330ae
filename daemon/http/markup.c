/* Filling in pieces of HTML (markup.h). */
#include "markup.h"

#include <assert.h>
#include <string.h>

void markup_escape(struct buf *out, const char *text)
{
    static const struct {
        char at;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    while (*text != '\0') {
        size_t plain = strcspn(text, "&<>\"'");
        buf_append(out, text, plain);
        text += plain;
        for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]) && *text != '\0'; i++) {
            if (*text == entities[i].at) {
                buf_puts(out, entities[i].entity);
                text++;
                break;
            }
        }
    }
}

static void write_value(struct buf *out, const char *name, size_t length,
                        const struct markup_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(values[i].name) != length || memcmp(values[i].name, name, length) != 0)
            continue;
        if (values[i].text != NULL && values[i].is_html)
            buf_puts(out, values[i].text);
        else if (values[i].text != NULL)
            markup_escape(out, values[i].text);
        return;
    }
    assert(false && "a piece names a value that nobody gives");
}

void markup_write(struct buf *out, const char *piece, const struct markup_value *values, size_t count)
{
    for (const char *open = strstr(piece, "{{"); open != NULL; open = strstr(piece, "{{")) {
        const char *close = strstr(open, "}}");
        assert(close != NULL);
        buf_append(out, piece, (size_t)(open - piece));
        write_value(out, open + 2, (size_t)(close - open - 2), values, count);
        piece = close + 2;
    }
    buf_puts(out, piece);
}
