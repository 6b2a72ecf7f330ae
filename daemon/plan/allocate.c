/* Allocation that cannot fail. */
#include "allocate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *allocate(void *old, size_t count, size_t size)
{
    void *room = reallocarray(old, count, size);

    if (room == NULL && count > 0 && size > 0)
        abort();
    return room;
}

void *allocate_one_more(void *array, size_t count, size_t size)
{
    if (count == 0)
        return allocate(array, 1, size);
    return (count & (count - 1)) == 0 ? allocate(array, 2 * count, size) : array;
}

char *allocate_copy(const char *bytes, size_t length)
{
    char *copy = allocate(NULL, length + 1, 1);

    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *allocate_text(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = allocate_text_v(format, arguments);
    va_end(arguments);
    return text;
}

char *allocate_text_v(const char *format, va_list arguments)
{
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        abort();
    return text;
}
