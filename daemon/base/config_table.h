/* The table of configuration keys: reading, comparing, printing all walk it. */
#ifndef SCHEMAGATE_BASE_CONFIG_TABLE_H
#define SCHEMAGATE_BASE_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_TEXT,   /* char * */
    CONFIG_LIST,   /* struct config_list: separated by commas, trimmed */
    CONFIG_NUMBER, /* int64_t from minimum to maximum */
    CONFIG_FLAG,   /* bool: yes or no */
    CONFIG_CHOICE, /* char *: one of choices */
    CONFIG_ENUM,   /* an enum whose values count the choices from 0 */
};

enum config_change {
    CONFIG_LIVE,    /* a reload changes it */
    CONFIG_FIXED,   /* only a restart changes it */
};

struct config;

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;       /* in struct config, or in the struct of its named section */
    const char *initial; /* as it would be written in the file */
    const char *choices; /* "block|warn|ignore" */
    int64_t minimum, maximum;
    const char *(*check)(const char *value); /* what is wrong with the text (or item), or NULL */
    enum config_change change;
    const char *meaning; /* whole sentences */
};

struct config_section {
    const char *name;
    const char *meaning;
    const struct config_key *keys; /* ends with a row without a name */

    /* [name NAME] stands for a list of structs, one for each NAME, which is their first member (char *).
     * `element` returns the one at index, NULL behind the last; `add` appends one, zeroed but for the name.
     * Both are NULL where there is one section of this name and the struct is struct config itself. */
    void *(*element)(const struct config *c, size_t index);
    void *(*add)(struct config *c, const char *name);
    const char *reserved; /* a NAME that stands for something else, or NULL */
};

extern const struct config_section config_sections[]; /* ends with a row without a name */

#endif
