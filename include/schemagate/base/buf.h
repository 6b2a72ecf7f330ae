/* A growing byte buffer with a maximum: for everything that a peer can make grow. It is always
 * NUL-terminated. Once the maximum is passed it is `overflowed`, keeps what it has, and every further
 * append does nothing, so that callers check once at the end. Allocation failure aborts the process. */
#ifndef SCHEMAGATE_BASE_BUF_H
#define SCHEMAGATE_BASE_BUF_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;      /* owned; NULL until the first append */
    size_t length;   /* without the NUL */
    size_t capacity; /* allocated */
    size_t maximum;  /* largest length; 0: no bound */
    bool overflowed;
};

#define BUF_INIT(maximum_) ((struct buf){.maximum = (maximum_)})

/* What is written is mostly a few bytes that fit: a call would cost more than they do. */
void buf_append_grown(struct buf *b, const void *bytes, size_t length);
static inline void buf_append(struct buf *b, const void *bytes, size_t length)
{
    if (length == 0 || length >= b->capacity - b->length || b->maximum > 0 || b->overflowed) {
        buf_append_grown(b, bytes, length);
        return;
    }
    if (length > 0) /* else there may be no bytes at all */
        memcpy(b->data + b->length, bytes, length);
    b->length += length;
    b->data[b->length] = '\0';
}

void buf_puts(struct buf *b, const char *text);
void buf_number(struct buf *b, int64_t number); /* in decimal */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list arguments);

/* Removes the first `length` bytes. */
void buf_consume(struct buf *b, size_t length);

/* The text, "" when nothing was appended; valid until the next append. */
const char *buf_text(const struct buf *b);

/* Hands the text over; the caller frees it; the buffer is empty again. Never NULL. */
char *buf_take(struct buf *b);
void buf_free(struct buf *b);

#endif
