/* Allocation for the planner, which uses nothing but the C library. It cannot fail: without memory the
 * process ends, and the one that reads clients' SQL is expendable. */
#ifndef PLAN_ALLOCATE_H
#define PLAN_ALLOCATE_H

#include <stdarg.h>
#include <stddef.h>

/* Room for `count` members of `size` bytes, with what `old` (NULL: nothing) held. */
void *allocate(void *old, size_t count, size_t size);

/* Makes room for one more member of an array whose length is a power of two when it is full. */
void *allocate_one_more(void *array, size_t count, size_t size);

char *allocate_copy(const char *bytes, size_t length); /* with a NUL behind it */
char *allocate_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *allocate_text_v(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

#endif
