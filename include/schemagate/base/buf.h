/* A growing byte buffer with a maximum: for everything that a peer can make grow. It is always
 * NUL-terminated. Once the maximum is passed it is `overflowed`, keeps what it has, and every further
 * append does nothing, so that callers check once at the end. Allocation failure aborts the process. */
#ifndef SCHEMAGATE_BASE_BUF_H
#define SCHEMAGATE_BASE_BUF_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;      /* owned; NULL until the first append */
    size_t length;   /* without the NUL */
    size_t capacity; /* allocated */
    size_t maximum;  /* largest length; 0: no bound */
    bool overflowed;
};

#define BUF_INIT(maximum_) ((struct buf){.maximum = (maximum_)})

void buf_append(struct buf *b, const void *bytes, size_t length);
void buf_puts(struct buf *b, const char *text);
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
