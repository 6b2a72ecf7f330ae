/* JSON pointers (RFC 6901, without escapes: none of our names needs one). */
#include <support/json.h>

#include <stdlib.h>
#include <string.h>

static json_t *child(const json_t *parent, const char *name)
{
    if (json_is_array(parent))
        return json_array_get(parent, strtoul(name, NULL, 10));
    return json_object_get(parent, name);
}

json_t *json_at(const json_t *document, const char *pointer)
{
    json_t *found = (json_t *)(uintptr_t)document;
    while (found && *pointer == '/') {
        char name[64];
        size_t length = strcspn(++pointer, "/");
        if (length >= sizeof name)
            return NULL;
        memcpy(name, pointer, length);
        name[length] = '\0';
        pointer += length;
        found = child(found, name);
    }
    return found;
}

const char *json_text_at(const json_t *document, const char *pointer)
{
    const char *text = json_string_value(json_at(document, pointer));
    return text ? text : "";
}

int64_t json_number_at(const json_t *document, const char *pointer)
{
    const json_t *number = json_at(document, pointer);
    return json_is_integer(number) ? (int64_t)json_integer_value(number) : INT64_MIN;
}
