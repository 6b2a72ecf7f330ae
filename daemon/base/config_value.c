/* Reading, comparing, freeing and describing configuration values, a row for each type. */
#include "config_value.h"

#include <schemagate/base/config.h>
#include <schemagate/base/memory.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BLANKS " \t\r\n\v\f"
/* What a shell would take away must not reach a program by mistake. */
#define LIST_QUOTES "must have double quotes around each whole item that has a comma or a quote in it"

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

/* "…", in which \" and \\ stand for a quote and a backslash, as in the directives of a migration. */
static char *list_quoted(const char **text, const char **wrong)
{
    struct buf item = BUF_INIT(0);
    const char *at = *text + 1;

    for (; *at != '"' && *at != '\0'; at++) {
        at += *at == '\\' && (at[1] == '"' || at[1] == '\\');
        buf_append(&item, at, 1);
    }
    const char *end = *at == '"' ? at + 1 + strspn(at + 1, LIST_BLANKS) : at;
    if (*at == '\0' || (*end != ',' && *end != '\0'))
        *wrong = LIST_QUOTES;
    *text = end;
    return buf_take(&item);
}

static char *list_plain(const char **text, const char **wrong)
{
    size_t width = strcspn(*text, ","), length = width;

    while (strchr(LIST_BLANKS, (*text)[length - 1]) != NULL)
        length--;
    char *item = memory_copy_n(*text, length);
    if (strpbrk(item, "'\"") != NULL)
        *wrong = LIST_QUOTES;
    *text += width;
    return item;
}

/* Cuts the next item off *text; NULL at the end. */
static char *list_next(const char **text, const char **wrong)
{
    *text += strspn(*text, LIST_BLANKS ",");
    if (**text == '\0')
        return NULL;
    return (**text == '"' ? list_quoted : list_plain)(text, wrong);
}

static bool read_list(const struct config_key *key, void *slot, const char *text,
                      struct buf *complaint)
{
    struct config_list list = {0};
    const char *wrong = NULL;

    for (char *item; wrong == NULL && (item = list_next(&text, &wrong)) != NULL; list.count++) {
        list.items = memory_grow(list.items, list.count + 1, sizeof(*list.items));
        list.items[list.count] = item;
        if (wrong == NULL && key->check != NULL)
            wrong = key->check(item);
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
