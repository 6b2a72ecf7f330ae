/* A growing byte buffer with a maximum (buf.h). */
#include <schemagate/base/buf.h>
#include <schemagate/base/memory.h>

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAPACITY 64
#define DECIMAL_MAX 20 /* characters of an int64_t with its sign */

/* Makes room for `more` bytes and the NUL; false once the maximum would be passed. */
static bool buf_reserve(struct buf *b, size_t more)
{
    size_t maximum = b->maximum > 0 ? b->maximum : SIZE_MAX - 1;

    if (b->overflowed || more > maximum - b->length) {
        b->overflowed = true;
        return false;
    }
    size_t wanted = b->length + more + 1;
    if (wanted > b->capacity) {
        size_t doubled = b->capacity <= SIZE_MAX / 2 ? b->capacity * 2 : wanted;
        size_t capacity = doubled > BUF_FIRST_CAPACITY ? doubled : BUF_FIRST_CAPACITY;
        b->capacity = capacity > wanted ? capacity : wanted;
        b->data = memory_grow(b->data, b->capacity, 1);
    }
    return true;
}

void buf_append_grown(struct buf *b, const void *bytes, size_t length)
{
    if (!buf_reserve(b, length))
        return;
    if (length > 0)
        memcpy(b->data + b->length, bytes, length);
    b->length += length;
    b->data[b->length] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_number(struct buf *b, int64_t number)
{
    char digits[DECIMAL_MAX], *at = digits + DECIMAL_MAX;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    buf_append(b, at, (size_t)(digits + DECIMAL_MAX - at));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    buf_vprintf(b, format, arguments);
    va_end(arguments);
}

/* Into the room that there is, and once more where that was too little. */
void buf_vprintf(struct buf *b, const char *format, va_list arguments)
{
    size_t room = b->overflowed ? 0 : b->capacity - b->length;
    va_list again;

    va_copy(again, arguments);
    int length = vsnprintf(room > 0 ? b->data + b->length : NULL, room, format, again);
    va_end(again);
    assert(length >= 0);
    if (!buf_reserve(b, (size_t)length)) {
        if (room > 0)
            b->data[b->length] = '\0';
        return;
    }
    if ((size_t)length >= room)
        vsnprintf(b->data + b->length, (size_t)length + 1, format, arguments);
    b->length += (size_t)length;
}

void buf_consume(struct buf *b, size_t length)
{
    assert(length <= b->length);
    if (length == 0)
        return;
    memmove(b->data, b->data + length, b->length - length + 1);
    b->length -= length;
}

const char *buf_text(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *text = b->data != NULL ? b->data : memory_copy("");

    *b = BUF_INIT(b->maximum);
    return text;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->maximum);
}
