/* The memory of what was created: a hash table of names. */
#include "created.h"

#include "allocate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { KEY_MAX = 512 };

struct created_entry {
    char *value; /* owned or NULL */
    bool qualified;
    UT_hash_handle hh;
    size_t length;
    char key[];
};

/* Kind and names, parted by a byte that no name can hold. False where they are too long for PostgreSQL. */
static bool make_key(char key[KEY_MAX], size_t *length, enum created_kind kind, const char *schema,
                     const char *name, const char *member)
{
    int written = snprintf(key, KEY_MAX, "%c%s\x01%s\x01%s", 'A' + (int)kind, schema == NULL ? "" : schema,
                           name, member == NULL ? "" : member);

    *length = (size_t)written;
    return written < KEY_MAX;
}

static struct created_entry *find(const struct created *created, enum created_kind kind, const char *schema,
                                  const char *name, const char *member)
{
    struct created_entry *entry = NULL;
    char key[KEY_MAX];
    size_t length;

    if (name != NULL && make_key(key, &length, kind, schema, name, member))
        HASH_FIND(hh, created->entries, key, length, entry);
    return entry;
}

static void forget(struct created *created, struct created_entry *entry)
{
    HASH_DEL(created->entries, entry);
    free(entry->value);
    free(entry);
}

void created_add(struct created *created, enum created_kind kind, const char *schema, const char *name,
                 const char *member, const char *value)
{
    struct created_entry *entry;
    char key[KEY_MAX];
    size_t length;

    if (name == NULL || !make_key(key, &length, kind, schema, name, member))
        return;
    created_remove(created, kind, schema, name, member);
    entry = allocate(NULL, 1, sizeof(*entry) + length);
    memset(entry, 0, sizeof(*entry));
    entry->value = value == NULL ? NULL : allocate_text("%s", value);
    entry->qualified = schema != NULL;
    entry->length = length;
    memcpy(entry->key, key, length);
    HASH_ADD(hh, created->entries, key, length, entry);
}

void created_remove(struct created *created, enum created_kind kind, const char *schema, const char *name,
                    const char *member)
{
    struct created_entry *entry = find(created, kind, schema, name, member);

    if (entry != NULL)
        forget(created, entry);
}

bool created_has(const struct created *created, enum created_kind kind, const char *schema, const char *name,
                 const char *member)
{
    return find(created, kind, schema, name, member) != NULL;
}

const char *created_value(const struct created *created, enum created_kind kind, const char *schema,
                          const char *name, const char *member)
{
    const struct created_entry *entry = find(created, kind, schema, name, member);

    return entry == NULL ? NULL : entry->value;
}

static void forget_all(struct created *created, bool qualified_too)
{
    struct created_entry *entry, *next;

    HASH_ITER(hh, created->entries, entry, next)
    {
        if (qualified_too || !entry->qualified)
            forget(created, entry);
    }
}

void created_forget_unqualified(struct created *created)
{
    forget_all(created, false);
}

void created_clear(struct created *created)
{
    forget_all(created, true);
}
