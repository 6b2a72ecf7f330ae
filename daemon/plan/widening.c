/* Changes of a column's type that PostgreSQL makes without reading the table: the stored values stay valid as
 * they are (ATColumnChangeRequiresRewrite; the support functions of varchar, numeric and the time types). */
#include "classify.h"

#include <stdio.h>
#include <string.h>

enum { MODIFIERS = 2, UNBOUNDED = -1 };

/* A type with up to two numbers, as varchar(20), numeric(10,2), timestamp(3) have. */
struct shape {
    const char *name; /* of PostgreSQL's own types, as the grammar says it: "varchar" */
    int modifiers[MODIFIERS]; /* UNBOUNDED where none is given */
};

/* How format_type prints them, and how the grammar names them. */
static const struct {
    const char *printed, *behind, *name;
} spellings[] = {
    {"character varying", "", "varchar"},
    {"text", "", "text"},
    {"numeric", "", "numeric"},
    {"bit varying", "", "varbit"},
    {"timestamp", " without time zone", "timestamp"},
    {"timestamp", " with time zone", "timestamptz"},
    {"time", " without time zone", "time"},
    {"time", " with time zone", "timetz"},
    {"cidr", "", "cidr"},
    {"inet", "", "inet"},
};

/* "numeric(10,2)" against one row: the numbers between the words. */
static bool read_printed(const char *printed, const char *before, const char *behind, struct shape *shape)
{
    size_t length = strlen(before);
    int used = 0;

    if (strncmp(printed, before, length) != 0)
        return false;
    printed += length;
    shape->modifiers[0] = shape->modifiers[1] = UNBOUNDED;
    if (sscanf(printed, "(%d,%d)%n", &shape->modifiers[0], &shape->modifiers[1], &used) == 2 && used > 0)
        printed += used;
    else if (sscanf(printed, "(%d)%n", &shape->modifiers[0], &used) == 1 && used > 0)
        printed += used;
    return strcmp(printed, behind) == 0;
}

static bool read_old_type(const char *printed, struct shape *shape)
{
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        shape->name = spellings[i].name;
        if (read_printed(printed, spellings[i].printed, spellings[i].behind, shape))
            return true;
    }
    return false;
}

static bool read_new_type(const PgQuery__TypeName *type, struct shape *shape)
{
    const char *schema, *name;

    classify_name_list(type->names, type->n_names, &schema, &name);
    if (name == NULL || (schema != NULL && strcmp(schema, "pg_catalog") != 0) || type->n_array_bounds > 0
        || type->n_typmods > MODIFIERS || type->setof || type->pct_type)
        return false;
    shape->name = name;
    shape->modifiers[0] = shape->modifiers[1] = UNBOUNDED;
    for (size_t i = 0; i < type->n_typmods; i++) {
        const PgQuery__Node *modifier = type->typmods[i];

        if (modifier->node_case != PG_QUERY__NODE__NODE_A_CONST
            || modifier->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
            return false;
        shape->modifiers[i] = modifier->a_const->ival->ival;
    }
    return true;
}

static bool is_no_less(int new_number, int old_number)
{
    return new_number == UNBOUNDED || (old_number != UNBOUNDED && new_number >= old_number);
}

static bool longer(const struct shape *old, const struct shape *new)
{
    return is_no_less(new->modifiers[0], old->modifiers[0]);
}

/* More digits before the point; those behind it stay, or else every value is written in another way. A scale
 * that is not given is 0. */
static bool more_digits(const struct shape *old, const struct shape *new)
{
    int old_scale = old->modifiers[1] == UNBOUNDED ? 0 : old->modifiers[1];
    int new_scale = new->modifiers[1] == UNBOUNDED ? 0 : new->modifiers[1];

    if (new->modifiers[0] == UNBOUNDED)
        return true;
    return old->modifiers[0] != UNBOUNDED && new->modifiers[0] >= old->modifiers[0] && new_scale == old_scale;
}

static bool always(const struct shape *old, const struct shape *new)
{
    (void)old;
    (void)new;
    return true;
}

/* Six digits are all that a time has. */
static bool finer(const struct shape *old, const struct shape *new)
{
    return is_no_less(new->modifiers[0] >= 6 ? UNBOUNDED : new->modifiers[0], old->modifiers[0]);
}

static const struct {
    const char *from, *to;
    bool (*fits)(const struct shape *old, const struct shape *new);
} widenings[] = {
    {"varchar", "varchar", longer},
    {"varchar", "text", always},
    {"text", "text", always},
    {"text", "varchar", longer}, /* an unbounded varchar only: text has no length */
    {"varbit", "varbit", longer},
    {"numeric", "numeric", more_digits},
    {"timestamp", "timestamp", finer},
    {"timestamptz", "timestamptz", finer},
    {"time", "time", finer},
    {"timetz", "timetz", finer},
    {"cidr", "inet", always},
};

bool classify_widens(const struct catalog_table *table, const char *column,
                     const PgQuery__ColumnDef *new_type)
{
    const struct catalog_column *known = catalog_column(table, column);
    struct shape old, new;

    /* USING computes new values, another collation another order. */
    if (known == NULL || new_type->raw_default != NULL || new_type->coll_clause != NULL
        || *known->collation != '\0' || new_type->type_name == NULL)
        return false;
    if (!read_old_type(known->type, &old) || !read_new_type(new_type->type_name, &new))
        return false;
    for (size_t i = 0; i < sizeof(widenings) / sizeof(widenings[0]); i++)
        if (strcmp(widenings[i].from, old.name) == 0 && strcmp(widenings[i].to, new.name) == 0)
            return widenings[i].fits(&old, &new);
    return false;
}
