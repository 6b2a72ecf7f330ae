/* JSON as a stream of bytes (writer.h). */
#include "writer.h"

#include <schemagate/base/clock.h>

#include <math.h>
#include <string.h>

/* Room for `length` more bytes, where the buffer has it already. NULL: it must grow first. */
static inline char *room(struct buf *out, size_t length)
{
    return out->length + length < out->capacity && out->maximum == 0 ? out->data + out->length : NULL;
}

static inline void filled(struct buf *out, size_t length)
{
    out->length += length;
    out->data[out->length] = '\0';
}

/* Writes what stands before a value: a comma, and the member's name. */
static void writer_begin(struct writer *w, const char *name)
{
    size_t comma = w->comma, length = name != NULL ? strlen(name) : 0;
    char *at = room(w->out, comma + length + 3);

    w->comma = true;
    if (at == NULL) {
        buf_append(w->out, ",", comma);
        if (name != NULL)
            buf_printf(w->out, "\"%s\":", name);
        return;
    }
    *at = ',';
    at += comma;
    if (name != NULL) {
        *at++ = '"';
        memcpy(at, name, length);
        memcpy(at + length, "\":", 2);
        length += 3;
    }
    filled(w->out, comma + length);
}

static void writer_open(struct writer *w, const char *name, char bracket)
{
    writer_begin(w, name);
    buf_append(w->out, &bracket, 1);
    w->comma = false;
}

static void writer_close(struct writer *w, char bracket)
{
    buf_append(w->out, &bracket, 1);
    w->comma = true;
}

void writer_open_object(struct writer *w, const char *name)
{
    writer_open(w, name, '{');
}

void writer_close_object(struct writer *w)
{
    writer_close(w, '}');
}

void writer_open_list(struct writer *w, const char *name)
{
    writer_open(w, name, '[');
}

void writer_close_list(struct writer *w)
{
    writer_close(w, ']');
}

/* Length of the well-formed UTF-8 sequence of two to four bytes at `text` (Unicode table 3-7), or 0. */
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_low || text[0] > forms[i].first_high)
            continue;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high)
            return 0;
        for (size_t n = 2; n < forms[i].length; n++)
            if ((text[n] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* Writes the one byte at `at`, which cannot stand as it is. */
static void writer_escape(struct buf *out, unsigned char at)
{
    static const char short_form[][2] = {{'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}};

    for (size_t i = 0; i < sizeof(short_form) / sizeof(short_form[0]); i++) {
        if ((unsigned char)short_form[i][0] == at) {
            buf_append(out, (const char[]){'\\', short_form[i][1]}, 2);
            return;
        }
    }
    /* What PostgreSQL says in a database without encoding need not be UTF-8. */
    buf_printf(out, "\\u%04x", at < 0x80 ? at : 0xfffd);
}

static void writer_quote(struct buf *out, const char *text)
{
    const char *start = text, *at = text;

    buf_append(out, "\"", 1);
    while (*at != '\0') {
        unsigned char byte = (unsigned char)*at;
        size_t plain = byte >= 0x80 ? utf8_length((const unsigned char *)at)
                                    : byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
        if (plain > 0) {
            at += plain;
            continue;
        }
        buf_append(out, start, (size_t)(at - start));
        writer_escape(out, byte);
        start = ++at;
    }
    buf_append(out, start, (size_t)(at - start));
    buf_append(out, "\"", 1);
}

void writer_text(struct writer *w, const char *name, const char *text)
{
    writer_begin(w, name);
    if (text != NULL)
        writer_quote(w->out, text);
    else
        buf_append(w->out, "null", 4);
}

void writer_text_or_null(struct writer *w, const char *name, const char *text)
{
    writer_text(w, name, text != NULL && *text != '\0' ? text : NULL);
}

void writer_number(struct writer *w, const char *name, int64_t number)
{
    writer_begin(w, name);
    buf_number(w->out, number);
}

void writer_version(struct writer *w, const char *name, int64_t version)
{
    if (version == 0)
        writer_null(w, name);
    else
        writer_number(w, name, version);
}

void writer_count(struct writer *w, const char *name, int64_t count)
{
    if (count < 0)
        writer_null(w, name);
    else
        writer_number(w, name, count);
}

void writer_real(struct writer *w, const char *name, double number)
{
    writer_begin(w, name);
    if (isfinite(number))
        buf_printf(w->out, "%.9g", number);
    else
        buf_append(w->out, "null", 4);
}

void writer_bool(struct writer *w, const char *name, bool value)
{
    writer_begin(w, name);
    buf_puts(w->out, value ? "true" : "false");
}

void writer_null(struct writer *w, const char *name)
{
    writer_begin(w, name);
    buf_append(w->out, "null", 4);
}

void writer_time(struct writer *w, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    writer_text(w, name, wall_ms != 0 ? clock_rfc3339(wall_ms, text) : NULL);
}

static int writer_take(const char *bytes, size_t length, void *out)
{
    buf_append(out, bytes, length);
    return 0;
}

void writer_json(struct writer *w, const char *name, const json_t *value)
{
    writer_begin(w, name);
    if (value == NULL ||
        json_dump_callback(value, writer_take, w->out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        buf_append(w->out, "null", 4);
}
