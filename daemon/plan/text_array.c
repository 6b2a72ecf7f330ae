/* Elements stand in quotes, and backslashes before what would end one. */
#include "text_array.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

char *text_array_add(char *array, const char *element)
{
    size_t length = array == NULL ? 0 : strlen(array);

    array = allocate(array, length + 2 * strlen(element) + 4, 1);
    array[length] = length == 0 ? '{' : ',';
    array[++length] = '"';
    length++;
    for (; *element != '\0'; element++) {
        if (*element == '"' || *element == '\\')
            array[length++] = '\\';
        array[length++] = *element;
    }
    array[length++] = '"';
    array[length] = '\0';
    return array;
}

char *text_array_end(char *array)
{
    char *whole = allocate_text("%s}", array == NULL ? "{" : array);

    free(array);
    return whole;
}
