/* Definitions as PostgreSQL prints them, for another column: the tree is changed and written down again. */
#include "coexist.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

struct change {
    const struct redefine *wanted;
    const char *column; /* that may be referred to, or NULL */
    bool refers;        /* a foreign key does */
};

/* Texts of the tree are the allocator's own; an empty one is nobody's. */
static void replace(char **text, const char *with)
{
    if (*text != NULL && **text != '\0')
        free(*text);
    *text = allocate_text("%s", with);
}

static void rename_text(char **text, const struct redefine_name *names, size_t count)
{
    for (size_t i = 0; *text != NULL && i < count; i++)
        if (strcmp(*text, names[i].from) == 0) {
            replace(text, names[i].to);
            return;
        }
}

static void rename_own(char **text, const struct change *change)
{
    rename_text(text, change->wanted->own, change->wanted->own_count);
}

static void rename_list(PgQuery__Node **names, size_t count, const struct change *change)
{
    for (size_t i = 0; i < count; i++)
        if (names[i]->node_case == PG_QUERY__NODE__NODE_STRING)
            rename_own(&names[i]->string->sval, change);
}

static void change_constraint(PgQuery__Constraint *constraint, struct change *change)
{
    const struct redefine *wanted = change->wanted;

    rename_list(constraint->keys, constraint->n_keys, change);
    rename_list(constraint->including, constraint->n_including, change);
    rename_list(constraint->fk_attrs, constraint->n_fk_attrs, change);
    rename_list(constraint->fk_del_set_cols, constraint->n_fk_del_set_cols, change);
    for (size_t i = 0; i < constraint->n_pk_attrs; i++) {
        char **name = &constraint->pk_attrs[i]->string->sval;

        change->refers = change->refers || (change->column != NULL && strcmp(*name, change->column) == 0);
        rename_text(name, wanted->referred, wanted->referred_count);
    }
    if (wanted->object != NULL)
        replace(&constraint->conname, wanted->object);
    constraint->skip_validation = false;
    constraint->initially_valid = true;
}

static void change_index(PgQuery__IndexStmt *index, const struct change *change)
{
    if (change->wanted->object != NULL)
        replace(&index->idxname, change->wanted->object);
    index->concurrent = true;
}

static void change_statistics(PgQuery__CreateStatsStmt *create, const struct change *change)
{
    if (change->wanted->object != NULL && create->n_defnames > 0)
        replace(&create->defnames[create->n_defnames - 1]->string->sval, change->wanted->object);
}

/* The walk hands out what it must not change; this tree is our own. */
static bool change_message(void *context, const ProtobufCMessage *message)
{
    struct change *change = context;
    const void *own = message;

    if (message->descriptor == &pg_query__column_ref__descriptor) {
        const PgQuery__ColumnRef *reference = own;

        if (reference->n_fields == 1)
            rename_list(reference->fields, 1, change);
    } else if (message->descriptor == &pg_query__index_elem__descriptor) {
        rename_own(&((PgQuery__IndexElem *)(uintptr_t)own)->name, change);
    } else if (message->descriptor == &pg_query__stats_elem__descriptor) {
        rename_own(&((PgQuery__StatsElem *)(uintptr_t)own)->name, change);
    } else if (message->descriptor == &pg_query__constraint__descriptor) {
        change_constraint((PgQuery__Constraint *)(uintptr_t)own, change);
    } else if (message->descriptor == &pg_query__index_stmt__descriptor) {
        change_index((PgQuery__IndexStmt *)(uintptr_t)own, change);
    } else if (message->descriptor == &pg_query__create_stats_stmt__descriptor) {
        change_statistics((PgQuery__CreateStatsStmt *)(uintptr_t)own, change);
    }
    return true;
}

static char *apply(const char *statement, struct change *change)
{
    PgQuery__ParseResult *tree = tree_parse(statement);
    char *text;

    if (tree == NULL)
        return NULL;
    tree_walk(&tree->base, &(struct tree_visitor){.message = change_message, .context = change});
    text = tree_write(tree);
    pg_query__parse_result__free_unpacked(tree, NULL);
    return text;
}

char *redefine(const char *statement, const struct redefine *change)
{
    return apply(statement, &(struct change){.wanted = change});
}

bool redefine_refers_to(const char *statement, const char *column)
{
    struct change change = {.wanted = &(struct redefine){0}, .column = column};

    free(apply(statement, &change));
    return change.refers;
}
