/* Allocation that cannot fail: a daemon that is out of memory stops at once and is restarted, rather
 * than running on with half a decision. All results are freed with free(). */
#ifndef SCHEMAGATE_BASE_MEMORY_H
#define SCHEMAGATE_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

void *memory_new(size_t size);                       /* zeroed */
void *memory_grow(void *old, size_t count, size_t size); /* like reallocarray */
char *memory_copy(const char *text);                 /* strdup; NULL stays NULL */
char *memory_copy_n(const char *text, size_t length);
char *memory_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Frees *slot and makes it a copy of text (NULL: none). */
void memory_replace(char **slot, const char *text);

#endif
