/* Reads the configuration: defaults, file, drop-ins, environment, in this order (config.h). */
#include "config_check.h"
#include "config_file.h"
#include "config_table.h"
#include "config_value.h"

#include <schemagate/base/config.h>
#include <schemagate/base/memory.h>

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_DEFAULT_PATH "/etc/schemagate/schemagate.ini"

struct config_reader {
    struct config *config;
    struct buf *errors;
};

static const struct config_key *key_find(const struct config_section *section, const char *name)
{
    for (const struct config_key *key = section->keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

/* The section that "gate" or "app web" means; *name is set to "web", "" where there is none. */
static const struct config_section *section_find(const char *header, const char **name)
{
    size_t word = strcspn(header, " \t");

    *name = header + word + strspn(header + word, " \t");
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        bool same = strlen(section->name) == word && memcmp(section->name, header, word) == 0;
        if (same && (section->element != NULL || **name == '\0'))
            return section;
    }
    return NULL;
}

static void *slot_of(const struct config_key *key, void *base)
{
    return (char *)base + key->offset;
}

static void set_defaults(const struct config_section *section, void *base)
{
    struct buf complaint = BUF_INIT(0);

    for (const struct config_key *key = section->keys; key->name != NULL; key++) {
        if (key->initial != NULL)
            config_value_read(key, slot_of(key, base), key->initial, &complaint);
        else
            *(int64_t *)slot_of(key, base) = -1;
    }
    assert(complaint.length == 0);
}

/* The struct that holds the section's keys; a named one is added when it is met first. */
static void *section_base(const struct config_section *section, struct config *c, const char *name)
{
    void *base;

    if (section->element == NULL)
        return c;
    for (size_t i = 0; (base = section->element(c, i)) != NULL; i++)
        if (strcmp(*(char **)base, name) == 0)
            return base;
    base = section->add(c, name);
    set_defaults(section, base);
    return base;
}

/* ---- what can be wrong with a section ---- */

static void name_sections(struct buf *out)
{
    const char *separator = "";

    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        buf_printf(out, "%s[%s%s]", separator, section->name, section->element != NULL ? " NAME" : "");
        separator = ", ";
    }
}

static void name_keys(const struct config_section *section, struct buf *out)
{
    const char *separator = "";

    for (const struct config_key *key = section->keys; key->name != NULL; key++) {
        buf_printf(out, "%s%s", separator, key->name);
        separator = ", ";
    }
}

static const char *wrong_name(const struct config_section *section, const char *name)
{
    if (section->element == NULL)
        return NULL;
    return section->reserved != NULL && strcmp(section->reserved, name) == 0
               ? "must have another name: holds call the primary so"
               : config_check_name(name);
}

/* Takes a section's header; every mistake in it is said here, once. */
static void take_section(struct config_reader *reader, const char *where, const char *header)
{
    const char *name, *wrong;
    const struct config_section *section = section_find(header, &name);

    if (section == NULL) {
        buf_printf(reader->errors, "%s: [%s] is unknown%s; there are ", where, header,
                   strcmp(header, "default") == 0 ? " (keys before the first section count as its)" : "");
        name_sections(reader->errors);
        buf_puts(reader->errors, "\n");
    } else if ((wrong = wrong_name(section, name)) != NULL) {
        buf_printf(reader->errors, "%s: [%s] %s\n", where, header, wrong);
    } else {
        section_base(section, reader->config, name);
    }
}

/* Sets one key; `what` names it as the person wrote it. */
static void take_value(struct config_reader *reader, const char *what, const struct config_key *key,
                       void *base, const char *value)
{
    struct buf complaint = BUF_INIT(0);

    if (!config_value_read(key, slot_of(key, base), value, &complaint))
        buf_printf(reader->errors, "%s %s\n", what, buf_text(&complaint));
    buf_free(&complaint);
}

static void take_entry(void *context, const char *where, const char *header, const char *key_name,
                       const char *value)
{
    struct config_reader *reader = context;
    const char *name;
    const struct config_section *section = section_find(header, &name);

    if (key_name == NULL) {
        take_section(reader, where, header);
        return;
    }
    if (section == NULL || wrong_name(section, name) != NULL)
        return; /* the section's mistake has been said */
    const struct config_key *key = key_find(section, key_name);
    if (key == NULL) {
        buf_printf(reader->errors, "%s: [%s] %s is unknown; this section has ", where, header, key_name);
        name_keys(section, reader->errors);
        buf_puts(reader->errors, "\n");
        return;
    }
    char *what = memory_printf("%s: [%s] %s", where, header, key_name);
    take_value(reader, what, key, section_base(section, reader->config, name), value);
    free(what);
}

/* ---- the sources ---- */

static int is_drop_in(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".ini") == 0;
}

static void read_files(struct config_reader *reader, const char *path)
{
    const char *main_file = path != NULL ? path : CONFIG_DEFAULT_PATH;
    char *folder = memory_printf("%s.d", main_file);
    struct dirent **names = NULL;

    if (path != NULL || access(main_file, F_OK) == 0)
        config_file_read(main_file, take_entry, reader, reader->errors);
    int count = scandir(folder, &names, is_drop_in, alphasort);
    for (int i = 0; i < count; i++) {
        char *file = memory_printf("%s/%s", folder, names[i]->d_name);
        config_file_read(file, take_entry, reader, reader->errors);
        free(file);
        free(names[i]);
    }
    free(names);
    free(folder);
}

/* Looks for SCHEMAGATE_<SECTION>_<KEY> of every key, so that foreign variables do not matter. */
static void read_environment(struct config_reader *reader)
{
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        for (const struct config_key *key = section->keys; key->name != NULL; key++) {
            if (section->element != NULL)
                continue;
            char *variable = memory_printf("SCHEMAGATE_%s_%s", section->name, key->name);
            for (char *at = variable; *at != '\0'; at++)
                *at = (char)toupper((unsigned char)*at);
            const char *value = getenv(variable);
            if (value != NULL)
                take_value(reader, variable, key, reader->config, value);
            free(variable);
        }
    }
}

static void check_runner(struct buf *errors, const struct config_runner *runner)
{
    const char *program = runner->command.count > 0 ? runner->command.items[0] : "";

    if (program[0] != '/' || strchr(program, '{') != NULL)
        buf_printf(errors, "[runner %s] command must begin with the absolute path of a program\n",
                   runner->name);
}

/* Rules between keys. */
static void check_rules(struct config_reader *reader)
{
    const struct config *c = reader->config;

    if (c->migration.retry_first_ms > c->migration.retry_max_ms)
        buf_puts(reader->errors, "[migration] retry_first_ms must be at most retry_max_ms\n");
    for (size_t i = 0; i < c->notify_count; i++) {
        const struct config_notify *notify = &c->notifies[i];
        if ((notify->command.count > 0) == (notify->url[0] != '\0'))
            buf_printf(reader->errors, "[notify %s] must have either a command or a url\n", notify->name);
        if (notify->command.count > 0 && notify->command.items[0][0] != '/')
            buf_printf(reader->errors, "[notify %s] command must begin with the absolute path of a program\n",
                       notify->name);
    }
    for (size_t i = 0; i < c->runner_count; i++)
        check_runner(reader->errors, &c->runners[i]);
}

/* ---- what the header offers ---- */

struct config *config_read(const char *path, struct buf *errors)
{
    struct config_reader reader = {memory_new(sizeof(struct config)), errors};
    size_t before = errors->length;

    for (const struct config_section *section = config_sections; section->name != NULL; section++)
        if (section->element == NULL)
            set_defaults(section, reader.config);
    read_files(&reader, path);
    read_environment(&reader);
    check_rules(&reader);
    if (errors->length == before && !errors->overflowed)
        return reader.config;
    config_free(reader.config);
    return NULL;
}

static void section_release(const struct config_section *section, void *base)
{
    for (const struct config_key *key = section->keys; key->name != NULL; key++)
        config_value_release(key, slot_of(key, base));
}

void config_free(struct config *c)
{
    void *base;

    if (c == NULL)
        return;
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        if (section->element == NULL) {
            section_release(section, c);
            continue;
        }
        for (size_t i = 0; (base = section->element(c, i)) != NULL; i++) {
            section_release(section, base);
            free(*(char **)base);
        }
    }
    free(c->apps);
    free(c->standbys);
    free(c->notifies);
    free(c->runners);
    free(c);
}

const struct config_app *config_app_find(const struct config *c, const char *app)
{
    for (size_t i = 0; i < c->app_count; i++)
        if (strcmp(c->apps[i].name, app) == 0)
            return &c->apps[i];
    return NULL;
}

const struct config_runner *config_runner_find(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->runner_count; i++)
        if (strcmp(c->runners[i].name, name) == 0)
            return &c->runners[i];
    return NULL;
}

void config_fixed_changes(const struct config *running, const struct config *next, struct buf *names)
{
    for (const struct config_section *section = config_sections; section->name != NULL; section++)
        for (const struct config_key *key = section->keys; key->name != NULL; key++)
            if (section->element == NULL && key->change == CONFIG_FIXED &&
                !config_value_equal(key, (const char *)running + key->offset,
                                    (const char *)next + key->offset))
                buf_printf(names, "%s.%s\n", section->name, key->name);
}
