/* What a text names and the catalog may know: each name once, in the order of the text. */
#include "allocate.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct need {
    size_t place; /* in plan->needs */
    UT_hash_handle hh;
    char key[]; /* schema, dot, name; a schema with a dot in it is asked for twice at worst */
};

/* Those of PostgreSQL itself need no asking. */
static bool is_builtin(const char *schema)
{
    return schema != NULL && (strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0);
}

void reader_need(struct reader *reader, const char *schema, const char *name)
{
    struct plan *plan = reader->plan;
    size_t length;
    struct need *need;

    if (schema != NULL && *schema == '\0')
        schema = NULL;
    if (name == NULL || *name == '\0' || is_builtin(schema))
        return;
    length = (schema == NULL ? 0 : strlen(schema)) + 1 + strlen(name);
    need = allocate(NULL, 1, sizeof(*need) + length);
    memset(need, 0, sizeof(*need));
    if (schema != NULL)
        memcpy(need->key, schema, strlen(schema));
    need->key[length - strlen(name) - 1] = '.';
    memcpy(need->key + length - strlen(name), name, strlen(name));

    struct need *there;
    HASH_FIND(hh, reader->needs, need->key, length, there);
    if (there != NULL) {
        free(need);
        return;
    }
    need->place = plan->need_count;
    HASH_ADD(hh, reader->needs, key, (unsigned)length, need);
    plan->needs = allocate_one_more(plan->needs, plan->need_count, sizeof(*plan->needs));
    plan->needs[plan->need_count++] = (struct plan_need){
        .schema = schema == NULL ? NULL : allocate_text("%s", schema),
        .name = allocate_text("%s", name),
    };
}

void reader_forget_needs(struct reader *reader)
{
    struct need *need, *next;

    HASH_ITER(hh, reader->needs, need, next) {
        HASH_DEL(reader->needs, need);
        free(need);
    }
}
