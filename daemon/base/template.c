/* Filling in the places of a configured command: one table, one walk. */
#include <schemagate/base/template.h>

#include <schemagate/base/buf.h>

#include <stddef.h>
#include <string.h>

static const char *const places[TEMPLATE_PLACES] = {
    [TEMPLATE_VERSION] = "{version}",
    [TEMPLATE_PHASE] = "{phase}",
    [TEMPLATE_NAME] = "{name}",
    [TEMPLATE_ARGUMENT] = "{argument}",
};

/* The place that begins at `text`; TEMPLATE_PLACES if there is none. */
static enum template_place place_at(const char *text)
{
    enum template_place place = 0;

    while (place < TEMPLATE_PLACES && strncmp(text, places[place], strlen(places[place])) != 0)
        place++;
    return place;
}

const char *template_check(const char *word)
{
    for (const char *at = strpbrk(word, "{}"); at != NULL; at = strpbrk(at, "{}")) {
        enum template_place place = place_at(at);

        if (place == TEMPLATE_PLACES)
            return "must have no braces but those of {version}, {phase}, {name} and {argument}";
        at += strlen(places[place]);
    }
    return NULL;
}

bool template_has(const char *word, enum template_place place)
{
    return strstr(word, places[place]) != NULL;
}

char *template_fill(const char *word, const char *const values[TEMPLATE_PLACES])
{
    struct buf filled = BUF_INIT(0);

    while (*word != '\0') {
        size_t plain = strcspn(word, "{");
        enum template_place place = place_at(word + plain);

        buf_append(&filled, word, plain);
        word += plain;
        if (place < TEMPLATE_PLACES) {
            buf_puts(&filled, values[place]);
            word += strlen(places[place]);
        } else if (*word != '\0') {
            buf_append(&filled, word++, 1);
        }
    }
    return buf_take(&filled);
}
