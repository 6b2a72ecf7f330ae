/* The one decoder of all input (decode.h). */
#include "decode.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mistakes_add(struct mistakes *mistakes, const char *prefix, const char *member, const char *format,
                  ...)
{
    if (mistakes->count == MISTAKES_MAX)
        return;
    struct mistake *mistake = &mistakes->items[mistakes->count++];
    snprintf(mistake->pointer, sizeof(mistake->pointer), "%.*s%s%.64s", POINTER_SIZE - 80, prefix,
             member != NULL ? "/" : "", member != NULL ? member : "");
    mistake->in = mistakes->in;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(mistake->detail, sizeof(mistake->detail), format, arguments);
    va_end(arguments);
}

static void *field_place(const struct field *field, void *values)
{
    return (char *)values + field->offset;
}

static const struct field *shape_find(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->fields[i].name, name) == 0)
            return &shape->fields[i];
    return NULL;
}

static uint32_t field_bit(const struct shape *shape, const struct field *field)
{
    return UINT32_C(1) << (field - shape->fields);
}

void decode_defaults(const struct shape *shape, void *values)
{
    memset(values, 0, shape->size);
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *field = &shape->fields[i];
        if (field->kind == FIELD_INTEGER)
            *(int64_t *)field_place(field, values) = field->fallback;
        else if (field->kind == FIELD_CHOICE)
            *(int *)field_place(field, values) = -1;
        else if (field->kind == FIELD_OBJECT)
            decode_defaults(field->shape, field_place(field, values));
    }
}

/* ---- values; each returns what is wrong, or NULL with the value stored ---- */

static bool is_name_character(char at)
{
    return (at >= 'a' && at <= 'z') || (at >= '0' && at <= ':') || (at >= 'A' && at <= 'Z') ||
           at == '-' || at == '.' || at == '_';
}

static const char *check_name(const struct field *field, const char *text, size_t length)
{
    size_t good = 0;

    while (good < length && is_name_character(text[good]))
        good++;
    if (length == 0 || length > (size_t)field->high || good != length)
        return "must be 1 to %" PRId64 " of A-Z a-z 0-9 . _ : -";
    return NULL;
}

static const char *check_line(const struct field *field, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return "must not have control characters";
    if (length > (size_t)field->high)
        return "must have at most %" PRId64 " bytes";
    return length < (size_t)field->low ? "must not be empty" : NULL;
}

static const char *check_sql(const struct field *field, const char *text, size_t length)
{
    (void)text;
    return field->high > 0 && length > (size_t)field->high ? "must have at most %" PRId64 " bytes" : NULL;
}

typedef const char *check_text(const struct field *field, const char *text, size_t length);

static check_text *const text_checks[] = {
    [FIELD_TEXT] = check_line,
    [FIELD_SQL] = check_sql,
    [FIELD_NAME] = check_name,
};

/* Says what is wrong with a value; the formats that checks return may ask for the upper bound. */
static void complain(const struct field *field, const char *prefix, const char *what,
                     struct mistakes *mistakes)
{
    char text[160];

    if (strstr(what, "%" PRId64) != NULL) {
        const char *bound = strstr(what, "%" PRId64);
        snprintf(text, sizeof(text), "%.*s%" PRId64 "%s", (int)(bound - what), what, field->high,
                 bound + strlen("%" PRId64));
        what = text;
    }
    mistakes_add(mistakes, prefix, field->name, "%s", what);
}

static void store_text(const struct field *field, const char *prefix, const char *text, size_t length,
                       void *values, struct mistakes *mistakes)
{
    const char *wrong = text_checks[field->kind](field, text, length);

    if (wrong != NULL)
        complain(field, prefix, wrong, mistakes);
    else
        *(const char **)field_place(field, values) = text;
}

static void store_integer(const struct field *field, const char *prefix, int64_t number, void *values,
                          struct mistakes *mistakes)
{
    if (number < field->low || number > field->high)
        mistakes_add(mistakes, prefix, field->name, "must be from %" PRId64 " to %" PRId64, field->low,
                     field->high);
    else
        *(int64_t *)field_place(field, values) = number;
}

/* A number that is not written as a whole one, or that does not fit into 64 bits. */
static void store_real(const struct field *field, const char *prefix, double number, void *values,
                       struct mistakes *mistakes)
{
    if (!(number >= (double)field->low && number <= (double)field->high))
        store_integer(field, prefix, number < 0 ? INT64_MIN : INT64_MAX, values, mistakes);
    else if (!mistakes->whole_as_real)
        mistakes_add(mistakes, prefix, field->name, "must be a whole number");
}

static void store_choice(const struct field *field, const char *prefix, const char *text, void *values,
                         struct mistakes *mistakes)
{
    char all[120] = "";

    for (int i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            *(int *)field_place(field, values) = i;
            return;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? ", " : "", field->choices[i]);
    }
    mistakes_add(mistakes, prefix, field->name, "must be one of %s", all);
}

/* ---- JSON ---- */

static void decode_texts(const struct field *field, const char *prefix, json_t *object,
                         void *values, struct mistakes *mistakes)
{
    const char *name;
    json_t *value;

    if (json_object_size(object) > (size_t)field->high) {
        mistakes_add(mistakes, prefix, field->name, "must have at most %" PRId64 " members", field->high);
        return;
    }
    json_object_foreach(object, name, value) {
        if (!json_is_string(value)) {
            char pointer[POINTER_SIZE];
            snprintf(pointer, sizeof(pointer), "%.80s/%s", prefix, field->name);
            mistakes_add(mistakes, pointer, name, "must be text");
        }
    }
    *(const json_t **)field_place(field, values) = object;
}

static void decode_nested(const struct field *field, const char *prefix, json_t *object,
                          void *values, struct mistakes *mistakes)
{
    char pointer[POINTER_SIZE];
    struct object_state *state = field_place(field, values);

    snprintf(pointer, sizeof(pointer), "%.80s/%s", prefix, field->name);
    if (!json_is_null(object))
        decode_object(field->shape, object, pointer, field_place(field, values), mistakes);
    *state = (struct object_state){.given = true, .null = json_is_null(object)};
}

static void decode_list(const struct field *field, const char *prefix, json_t *list, void *values,
                        struct mistakes *mistakes)
{
    size_t count = json_array_size(list);

    if (count < (size_t)field->low || count > (size_t)field->high)
        mistakes_add(mistakes, prefix, field->name, "must have %" PRId64 " to %" PRId64 " items",
                     field->low, field->high);
    else
        *(const json_t **)field_place(field, values) = list;
}

static void decode_lines(const struct field *field, const char *prefix, json_t *list, void *values,
                         struct mistakes *mistakes)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) {
        if (!json_is_string(item) ||
            check_line(&(struct field){.high = LINE_MAXIMUM}, json_string_value(item),
                       json_string_length(item)) != NULL) {
            mistakes_add(mistakes, prefix, field->name, "must be a list of texts of one line");
            return;
        }
    }
    decode_list(field, prefix, list, values, mistakes);
}

static bool kind_fits(const struct field *field, const json_t *value)
{
    static const json_type wanted[] = {
        [FIELD_TEXT] = JSON_STRING,     [FIELD_SQL] = JSON_STRING,    [FIELD_NAME] = JSON_STRING,
        [FIELD_INTEGER] = JSON_INTEGER, [FIELD_CHOICE] = JSON_STRING, [FIELD_OBJECT] = JSON_OBJECT,
        [FIELD_TEXTS] = JSON_OBJECT,    [FIELD_LIST] = JSON_ARRAY,    [FIELD_LINES] = JSON_ARRAY,
    };

    if (field->kind == FIELD_BOOLEAN)
        return json_is_boolean(value);
    return json_typeof(value) == wanted[field->kind] || (field->nullable && json_is_null(value));
}

static void decode_member(const struct field *field, const char *prefix, json_t *value,
                          void *values, struct mistakes *mistakes)
{
    static const char *const must_be[] = {
        [FIELD_TEXT] = "must be text",       [FIELD_SQL] = "must be text",
        [FIELD_NAME] = "must be text",       [FIELD_INTEGER] = "must be a whole number",
        [FIELD_CHOICE] = "must be text",     [FIELD_BOOLEAN] = "must be true or false",
        [FIELD_OBJECT] = "must be an object", [FIELD_TEXTS] = "must be an object of texts",
        [FIELD_LIST] = "must be a list",     [FIELD_LINES] = "must be a list of texts",
    };

    if (field->kind == FIELD_INTEGER && json_is_real(value)) {
        store_real(field, prefix, json_real_value(value), values, mistakes);
        return;
    }
    if (!kind_fits(field, value)) {
        mistakes_add(mistakes, prefix, field->name, "%s", must_be[field->kind]);
        return;
    }
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_SQL:
    case FIELD_NAME:
        store_text(field, prefix, json_string_value(value), json_string_length(value), values, mistakes);
        break;
    case FIELD_INTEGER:
        store_integer(field, prefix, json_integer_value(value), values, mistakes);
        break;
    case FIELD_BOOLEAN:
        *(bool *)field_place(field, values) = json_is_true(value);
        break;
    case FIELD_CHOICE:
        store_choice(field, prefix, json_string_value(value), values, mistakes);
        break;
    case FIELD_OBJECT:
        decode_nested(field, prefix, value, values, mistakes);
        break;
    case FIELD_TEXTS:
        decode_texts(field, prefix, value, values, mistakes);
        break;
    case FIELD_LINES:
        decode_lines(field, prefix, value, values, mistakes);
        break;
    case FIELD_LIST:
        decode_list(field, prefix, value, values, mistakes);
        break;
    }
}

void decode_object(const struct shape *shape, json_t *object, const char *prefix, void *values,
                   struct mistakes *mistakes)
{
    uint32_t seen = 0;
    const char *name;
    json_t *value;

    decode_defaults(shape, values);
    if (!json_is_object(object)) {
        mistakes_add(mistakes, prefix, NULL, "must be an object");
        return;
    }
    json_object_foreach(object, name, value) {
        const struct field *field = shape_find(shape, name);
        if (field == NULL) {
            mistakes_add(mistakes, prefix, name, "is not a member that is known here");
            continue;
        }
        seen |= field_bit(shape, field);
        decode_member(field, prefix, value, values, mistakes);
    }
    decode_finish(shape, seen, prefix, values, mistakes);
}

/* ---- queries and paths ---- */

static bool parse_integer(const char *text, int64_t *number)
{
    char *end;

    if (strspn(text, "0123456789-") != strlen(text))
        return false;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    *number = parsed;
    return end != text && *end == '\0' && errno == 0;
}

static bool parse_boolean(const char *text, bool *value)
{
    *value = text == NULL || *text == '\0' || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

/* By the same code that has tested bodies. */
static bool is_utf8(const char *text)
{
    json_t *probe = json_string(text);

    json_decref(probe);
    return probe != NULL;
}

void decode_parameter(const struct shape *shape, const char *name, const char *text, void *values,
                      uint32_t *seen, struct mistakes *mistakes)
{
    const struct field *field = shape_find(shape, name);

    if (field == NULL) {
        mistakes_add(mistakes, "", name, "is not a parameter that is known here");
        return;
    }
    if ((*seen & field_bit(shape, field)) != 0) {
        mistakes_add(mistakes, "", name, "stands there twice");
        return;
    }
    *seen |= field_bit(shape, field);
    int64_t number;
    const char *plain = text != NULL ? text : "";
    if (field->kind == FIELD_INTEGER) {
        if (parse_integer(plain, &number))
            store_integer(field, "", number, values, mistakes);
        else
            mistakes_add(mistakes, "", name, "must be a whole number");
    } else if (field->kind == FIELD_BOOLEAN) {
        if (!parse_boolean(text, field_place(field, values)))
            mistakes_add(mistakes, "", name, "must be true or false");
    } else if (field->kind == FIELD_CHOICE) {
        store_choice(field, "", plain, values, mistakes);
    } else {
        assert(field->kind <= FIELD_NAME);
        if (field->kind == FIELD_NAME || is_utf8(plain))
            store_text(field, "", plain, strlen(plain), values, mistakes);
        else
            mistakes_add(mistakes, "", name, "must be UTF-8");
    }
}

void decode_finish(const struct shape *shape, uint32_t seen, const char *prefix, const void *values,
                   struct mistakes *mistakes)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].required && (seen & field_bit(shape, &shape->fields[i])) == 0)
            mistakes_add(mistakes, prefix, shape->fields[i].name, "is required");
    if (mistakes->count == 0 && shape->check != NULL)
        shape->check(values, prefix, mistakes);
}
