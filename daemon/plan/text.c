/* Normalising, checking and measuring the submitted text. */
#include "text.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

static const char byte_order_mark[] = "\xEF\xBB\xBF";

/* The length of the well-formed character at `at` (Unicode standard, table 3-7), 0 if there is none. */
static size_t character_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (at[0] < forms[i].first_low || at[0] > forms[i].first_high)
            continue;
        if (forms[i].length > left)
            return 0;
        if (forms[i].length > 1 && (at[1] < forms[i].second_low || at[1] > forms[i].second_high))
            return 0;
        for (size_t tail = 2; tail < forms[i].length; tail++)
            if ((at[tail] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static int is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static void add_line(struct text *text, size_t start)
{
    text->lines = allocate_one_more(text->lines, text->line_count, sizeof(*text->lines));
    text->lines[text->line_count++] = start;
}

static void index_lines(struct text *text)
{
    add_line(text, 0);
    for (size_t at = 0; at < text->length; at++)
        if (text->bytes[at] == '\n')
            add_line(text, at + 1);
}

enum text_fault text_open(struct text *text, const char *bytes, size_t length)
{
    const size_t mark = sizeof(byte_order_mark) - 1;
    size_t at = length >= mark && memcmp(bytes, byte_order_mark, mark) == 0 ? mark : 0;
    enum text_fault fault = TEXT_FINE;

    *text = (struct text){.bytes = allocate(NULL, length + 1, 1), .last = {0, 1, 1}};
    while (at < length && fault == TEXT_FINE) {
        size_t size = character_length((const unsigned char *)bytes + at, length - at);

        if (size == 0) {
            fault = TEXT_NOT_UTF8;
        } else if (bytes[at] == '\0') {
            fault = TEXT_HAS_NUL;
        } else if (bytes[at] == '\r' && at + 1 < length && bytes[at + 1] == '\n') {
            at++;
        } else {
            memcpy(text->bytes + text->length, bytes + at, size);
            text->length += size;
            at += size;
        }
    }
    text->bytes[text->length] = '\0';
    index_lines(text);
    return fault;
}

void text_close(struct text *text)
{
    free(text->bytes);
    free(text->lines);
    *text = (struct text){0};
}

/* The line that `offset` is on, from 0. */
static size_t find_line(const struct text *text, size_t offset)
{
    size_t low = 0, high = text->line_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (text->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct text_place text_locate(struct text *text, size_t offset)
{
    struct text_place *place = &text->last;
    size_t line = find_line(text, offset);

    if (place->line != line + 1)
        *place = (struct text_place){text->lines[line], (unsigned)line + 1, 1};
    while (place->offset < offset)
        if (!is_continuation(text->bytes[++place->offset]))
            place->column++;
    while (place->offset > offset)
        if (!is_continuation(text->bytes[place->offset--]))
            place->column--;
    return *place;
}

size_t text_advance(const struct text *text, size_t offset, size_t characters, size_t end)
{
    while (offset < end && characters > 0) {
        offset++;
        if (!is_continuation(text->bytes[offset]))
            characters--;
    }
    return offset;
}

size_t text_line_start(const struct text *text, size_t offset)
{
    while (offset > 0 && text->bytes[offset - 1] != '\n' && text->bytes[offset - 1] != '\r')
        offset--;
    return offset;
}

size_t text_line_end(const struct text *text, size_t offset)
{
    return offset + strcspn(text->bytes + offset, "\r\n");
}

int text_is_first_on_line(const struct text *text, size_t offset)
{
    size_t start = text_line_start(text, offset);

    return start + strspn(text->bytes + start, " \t\f\v") == offset;
}
