/* INI files with line numbers, by libini_config (config_file.h). */
#include "config_file.h"

#include <schemagate/base/memory.h>

#include <errno.h>
#include <ini_configobj.h>
#include <ini_valueobj.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every mistake in a file is collected: duplicates are errors, also of sections, because names are
 * compared without case and [app Web] would silently become part of [app web]. */
#define COLLISIONS (INI_MV1S_DETECT | INI_MV2S_DETECT | INI_MS_ERROR)
#define FILE_MAXIMUM 1048576
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define SYNTAX (INI_PARSE_NOWRAP | INI_PARSE_NO_C_COMMENTS)

/* The library's error codes in our words; for others its own text is passed on. */
static const char *const syntax_errors[] = {
    [ERR_NOCLOSESEC] = "a section must end in \"]\", with nothing behind it",
    [ERR_NOSECTION] = "a section needs a name between \"[\" and \"]\"",
    [ERR_NOEQUAL] = "a line must be \"[section]\", \"key = value\" or begin with \"#\"",
    [ERR_NOKEY] = "a key is missing in front of \"=\"",
    [ERR_DUPKEY] = "the key stands twice in its section",
    [ERR_DUPKEYSEC] = "the key stands twice in its section",
    [ERR_DUPSECTION] = "the section stands twice in this file",
};

static void report_syntax_error(const char *path, const char *text, struct buf *errors)
{
    unsigned code = 0, line = 0;
    int told = 0;

    sscanf(text, "Error (%u) on line %u: %n", &code, &line, &told);
    const char *ours = code < sizeof(syntax_errors) / sizeof(syntax_errors[0]) ? syntax_errors[code] : NULL;
    buf_printf(errors, "%s:%u: %s\n", path, line, ours != NULL ? ours : text + told);
}

static void report_parse_errors(struct ini_cfgobj *ini, const char *path, struct buf *errors)
{
    char **texts = NULL;

    if (ini_config_error_count(ini) == 0 || ini_config_get_errors(ini, &texts) != 0) {
        buf_printf(errors, "%s: a key has a character that is not ASCII\n", path);
        return;
    }
    for (size_t i = 0; texts[i] != NULL; i++)
        report_syntax_error(path, texts[i], errors);
    ini_config_free_errors(texts);
}

/* The line of "[section]", which the library does not tell; 0 if it cannot be found. */
static unsigned section_line(const char *text, const char *section)
{
    size_t length = strlen(section);

    for (unsigned number = 1; *text != '\0'; number++) {
        const char *at = text + strspn(text, " \t" BYTE_ORDER_MARK);
        if (*at == '[') {
            at += 1 + strspn(at + 1, " \t");
            if (strncasecmp(at, section, length) == 0 && at[length + strspn(at + length, " \t")] == ']')
                return number;
        }
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return 0;
}

static void hand_on_keys(struct ini_cfgobj *ini, const char *path, const char *section,
                         config_file_entry *entry, void *context)
{
    char **keys = ini_get_attribute_list(ini, section, NULL, NULL);

    for (char **key = keys; key != NULL && *key != NULL; key++) {
        struct value_obj *value = NULL;
        uint32_t line = 0;
        ini_get_config_valueobj(section, *key, ini, INI_GET_FIRST_VALUE, &value);
        if (value == NULL)
            continue;
        value_get_line(value, &line);
        char *where = memory_printf("%s:%u", path, (unsigned)line);
        entry(context, where, section, *key, ini_get_const_string_config_value(value, NULL));
        free(where);
    }
    ini_free_attribute_list(keys);
}

static void hand_on(struct ini_cfgobj *ini, const char *path, const char *text,
                    config_file_entry *entry, void *context)
{
    char **sections = ini_get_section_list(ini, NULL, NULL);

    for (char **section = sections; section != NULL && *section != NULL; section++) {
        unsigned line = section_line(text, *section);
        /* The library puts keys in front of the first section into one called "default". */
        char *where = line > 0 ? memory_printf("%s:%u", path, line) : memory_copy(path);
        entry(context, where, *section, NULL, NULL);
        free(where);
        hand_on_keys(ini, path, *section, entry, context);
    }
    ini_free_section_list(sections);
}

/* Reads the file as a whole; says what keeps it from being read. */
static bool load(const char *path, struct buf *text, struct buf *errors)
{
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t got;

    while (file != NULL && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(text, chunk, got);
    bool failed = file == NULL || ferror(file);
    if (failed) {
        buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(errno));
    } else if (text->overflowed) {
        buf_printf(errors, "%s: is longer than %zu bytes\n", path, text->maximum);
    } else if (strlen(buf_text(text)) != text->length) {
        buf_printf(errors, "%s: has a NUL byte\n", path);
        failed = true;
    }
    if (file != NULL)
        fclose(file);
    return !failed && !text->overflowed;
}

void config_file_read(const char *path, config_file_entry *entry, void *context, struct buf *errors)
{
    struct buf text = BUF_INIT(FILE_MAXIMUM);
    struct ini_cfgfile *file = NULL;
    struct ini_cfgobj *ini = NULL;

    if (!load(path, &text, errors) || text.length == 0) { /* the library calls an empty file unreadable */
        goto out;
    }
    int error = ini_config_create(&ini);
    if (error == 0)
        error = ini_config_file_from_mem(text.data, (uint32_t)text.length, &file);
    if (error != 0)
        buf_printf(errors, "%s: %s\n", path, error == EILSEQ ? "is not UTF-8 text" : strerror(error));
    else if (ini_config_parse(file, INI_STOP_ON_NONE, COLLISIONS, SYNTAX, ini) != 0)
        report_parse_errors(ini, path, errors);
    else
        hand_on(ini, path, text.data, entry, context);
out:
    ini_config_destroy(ini);
    ini_config_file_destroy(file);
    buf_free(&text);
}
