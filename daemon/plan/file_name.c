/* Version and name from a migration file's name: [Vv]?0*(digits)_+(name)(.up)?.sql */
#include <schemagate/plan/plan.h>

#include "allocate.h"

#include <string.h>

static size_t cut_suffix(const char *text, size_t length, const char *suffix)
{
    size_t size = strlen(suffix);

    return length > size && memcmp(text + length - size, suffix, size) == 0 ? length - size : length;
}

int64_t plan_file_version(const char *file_name, char **name)
{
    const char *at = file_name + (*file_name == 'V' || *file_name == 'v');
    int64_t version = 0;
    size_t digits = strspn(at, "0123456789"), length, stem;

    for (size_t i = 0; i < digits; i++) {
        version = version * 10 + (at[i] - '0');
        if (version > PLAN_VERSION_MAX)
            return -1;
    }
    if (version == 0 || at[digits] != '_')
        return -1;
    at += digits;
    at += strspn(at, "_");
    length = strlen(at);
    stem = cut_suffix(at, length, ".sql");
    if (stem == length)
        return -1;
    stem = cut_suffix(at, stem, ".up");
    if (name != NULL)
        *name = allocate_copy(at, stem);
    return version;
}
