/* Reading, comparing, freeing and describing configuration values, a row for each type. */
#include "config_value.h"

#include <schemagate/base/config.h>
#include <schemagate/base/memory.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct config_type_row {
    bool (*read)(const struct config_key *key, void *slot, const char *text, struct buf *complaint);
    bool (*equal)(const void *slot, const void *other);
    void (*release)(void *slot);
    const char *description; /* NULL: it depends on the key */
};

/* Says what the value must be; returns false. */
static bool refuse(const struct config_key *key, const char *text, struct buf *complaint)
{
    buf_puts(complaint, "must be ");
    config_value_describe(key, complaint);
    buf_printf(complaint, ", not \"%s\"", text);
    return false;
}

/* ---- text ---- */

static bool read_text(const struct config_key *key, void *slot, const char *text,
                      struct buf *complaint)
{
    const char *wrong = key->check != NULL && *text != '\0' ? key->check(text) : NULL;

    if (wrong != NULL) {
        buf_puts(complaint, wrong); /* without the text: a connection string may hold a password */
        return false;
    }
    memory_replace(slot, text);
    return true;
}

static bool equal_text(const void *slot, const void *other)
{
    return strcmp(*(char *const *)slot, *(char *const *)other) == 0;
}

static void release_text(void *slot)
{
    memory_replace(slot, NULL);
}

/* ---- lists ---- */

static void release_list(void *slot)
{
    struct config_list *list = slot;

    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

/* Cuts the next item off *text: [*item, *item + *length), trimmed. False at the end. */
static bool list_next(const char **text, const char **item, size_t *length)
{
    while (isspace((unsigned char)**text) || **text == ',')
        (*text)++;
    *item = *text;
    *text += strcspn(*text, ",");
    *length = (size_t)(*text - *item);
    while (*length > 0 && isspace((unsigned char)(*item)[*length - 1]))
        (*length)--;
    return *length > 0;
}

static bool read_list(const struct config_key *key, void *slot, const char *text,
                      struct buf *complaint)
{
    struct config_list list = {0};
    const char *item, *wrong = NULL;
    size_t length;

    while (wrong == NULL && list_next(&text, &item, &length)) {
        list.items = memory_grow(list.items, list.count + 1, sizeof(*list.items));
        list.items[list.count] = memory_copy_n(item, length);
        wrong = key->check != NULL ? key->check(list.items[list.count]) : NULL;
        list.count++;
    }
    if (wrong != NULL) {
        buf_printf(complaint, "%s, not \"%s\"", wrong, list.items[list.count - 1]);
        release_list(&list);
        return false;
    }
    release_list(slot);
    *(struct config_list *)slot = list;
    return true;
}

static bool equal_list(const void *slot, const void *other)
{
    const struct config_list *one = slot, *two = other;

    for (size_t i = 0; one->count == two->count && i < one->count; i++)
        if (strcmp(one->items[i], two->items[i]) != 0)
            return false;
    return one->count == two->count;
}

/* ---- numbers ---- */

static bool read_number(const struct config_key *key, void *slot, const char *text,
                        struct buf *complaint)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || number < key->minimum ||
        number > key->maximum)
        return refuse(key, text, complaint);
    *(int64_t *)slot = number;
    return true;
}

static bool equal_number(const void *slot, const void *other)
{
    return *(const int64_t *)slot == *(const int64_t *)other;
}

static void release_nothing(void *slot)
{
    (void)slot;
}

/* ---- choices ---- */

/* Finds text among "a|b|c"; -1 if it is not there. */
static int choice_index(const char *choices, const char *text)
{
    size_t length = strlen(text);

    for (int index = 0; *choices != '\0'; index++) {
        size_t width = strcspn(choices, "|");
        if (width == length && memcmp(choices, text, length) == 0)
            return index;
        choices += width + (choices[width] == '|');
    }
    return -1;
}

static bool read_choice(const struct config_key *key, void *slot, const char *text,
                        struct buf *complaint)
{
    if (choice_index(key->choices, text) < 0)
        return refuse(key, text, complaint);
    memory_replace(slot, text);
    return true;
}

static bool read_enum(const struct config_key *key, void *slot, const char *text,
                      struct buf *complaint)
{
    _Static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum log_format) == sizeof(int),
                   "an enum is stored like an int");
    int index = choice_index(key->choices, text);

    if (index < 0)
        return refuse(key, text, complaint);
    memcpy(slot, &index, sizeof(index));
    return true;
}

static bool equal_enum(const void *slot, const void *other)
{
    return memcmp(slot, other, sizeof(int)) == 0;
}

static bool read_flag(const struct config_key *key, void *slot, const char *text,
                      struct buf *complaint)
{
    int index = choice_index(key->choices, text);

    if (index < 0)
        return refuse(key, text, complaint);
    *(bool *)slot = index == 1;
    return true;
}

static bool equal_flag(const void *slot, const void *other)
{
    return *(const bool *)slot == *(const bool *)other;
}

/* ---- all ---- */

static const struct config_type_row config_types[] = {
    [CONFIG_TEXT] = {read_text, equal_text, release_text, "text"},
    [CONFIG_LIST] = {read_list, equal_list, release_list, "a list, separated by commas"},
    [CONFIG_NUMBER] = {read_number, equal_number, release_nothing, NULL},
    [CONFIG_FLAG] = {read_flag, equal_flag, release_nothing, NULL},
    [CONFIG_CHOICE] = {read_choice, equal_text, release_text, NULL},
    [CONFIG_ENUM] = {read_enum, equal_enum, release_nothing, NULL},
};

bool config_value_read(const struct config_key *key, void *slot, const char *text,
                       struct buf *complaint)
{
    return config_types[key->type].read(key, slot, text, complaint);
}

bool config_value_equal(const struct config_key *key, const void *slot, const void *other)
{
    return config_types[key->type].equal(slot, other);
}

void config_value_release(const struct config_key *key, void *slot)
{
    config_types[key->type].release(slot);
}

void config_value_describe(const struct config_key *key, struct buf *out)
{
    if (config_types[key->type].description != NULL) {
        buf_puts(out, config_types[key->type].description);
        return;
    }
    if (key->type == CONFIG_NUMBER) {
        buf_printf(out, "a whole number from %" PRId64 " to %" PRId64, key->minimum, key->maximum);
        return;
    }
    for (const char *choice = key->choices; *choice != '\0';) {
        int width = (int)strcspn(choice, "|");
        const char *next = choice + width + (choice[width] == '|');
        buf_printf(out, "%.*s%s", width, choice,
                   *next == '\0' ? "" : strchr(next, '|') != NULL ? ", " : " or ");
        choice = next;
    }
}
