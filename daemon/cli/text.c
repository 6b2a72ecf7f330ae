/* Small texts for people and for URLs. */
#include "text.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Units, largest first; a duration shows one and the next smaller. */
static const struct {
    int64_t seconds;
    char letter;
} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static size_t unit_of(int64_t seconds)
{
    size_t n = 0;
    while (n + 1 < UNIT_COUNT && seconds < units[n].seconds)
        n++;
    return n;
}

void text_duration(struct buf *out, int64_t milliseconds)
{
    int64_t seconds = milliseconds > 0 ? milliseconds / 1000 : 0;
    size_t n = unit_of(seconds);
    buf_printf(out, "%lld%c", (long long)(seconds / units[n].seconds), units[n].letter);
    if (n + 1 < UNIT_COUNT)
        buf_printf(out, "%02lld%c", (long long)(seconds % units[n].seconds / units[n + 1].seconds),
                   units[n + 1].letter);
}

void text_age(struct buf *out, int64_t milliseconds)
{
    int64_t seconds = milliseconds > 0 ? milliseconds / 1000 : 0;
    size_t n = unit_of(seconds);
    buf_printf(out, "%lld%c", (long long)(seconds / units[n].seconds), units[n].letter);
}

bool text_read_time(const char *text, int64_t *wall_ms)
{
    struct tm when = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);
    if (!rest)
        return false;
    int64_t fraction = 0;
    if (*rest == '.') {
        int64_t scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            fraction += (*rest - '0') * scale;
    }
    if (strcmp(rest, "Z") != 0)
        return false;
    *wall_ms = (int64_t)timegm(&when) * 1000 + fraction;
    return true;
}

void text_clean(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool c1 = byte == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
        buf_append(out,
                   byte < 0x20 || byte == 0x7f ? (byte == '\n' || byte == '\t' ? " " : "?")
                   : c1                        ? "?"
                                               : text,
                   1);
        text += c1;
    }
}

void text_lines(struct buf *out, const char *text, const char *indent)
{
    char *lines = memory_copy(text), *rest = lines, *line;

    for (bool first = true; (line = strsep(&rest, "\n")); first = false) {
        text_after(out, first ? "" : indent, line);
        buf_puts(out, "\n");
    }
    free(lines);
}

void text_after(struct buf *out, const char *before, const char *text)
{
    buf_puts(out, before);
    text_clean(out, text);
}

void text_url(struct buf *out, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
    for (; *text; text++) {
        if (strchr(unreserved, *text))
            buf_append(out, text, 1);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}
