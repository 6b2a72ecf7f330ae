/* Allocation that stops the process when there is no memory left (memory.h). */
#include <schemagate/base/memory.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says so without allocating, and ends the process where a debugger can see it. */
static _Noreturn void memory_exhausted(void)
{
    static const char message[] = "schemagate: out of memory\n";

    ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)ignored;
    abort();
}

void *memory_new(size_t size)
{
    void *fresh = calloc(1, size > 0 ? size : 1);

    if (fresh == NULL)
        memory_exhausted();
    return fresh;
}

void *memory_grow(void *old, size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    void *grown = reallocarray(old, count, size);
    if (grown == NULL)
        memory_exhausted();
    return grown;
}

char *memory_copy(const char *text)
{
    return text != NULL ? memory_copy_n(text, strlen(text)) : NULL;
}

char *memory_copy_n(const char *text, size_t length)
{
    if (length == SIZE_MAX)
        memory_exhausted();
    char *copy = memory_grow(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *memory_printf(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        memory_exhausted();
    return text;
}

void memory_replace(char **slot, const char *text)
{
    char *copy = memory_copy(text); /* first: text may lie inside *slot */

    free(*slot);
    *slot = copy;
}
