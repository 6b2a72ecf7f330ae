/* Taking up a `split` or `merge`: which columns, from which expressions. */
#include "shapes.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

/* ---- a group of columns ---- */

static void close_members(struct members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        struct member *member = &members->items[i];

        free(member->name);
        free(member->quoted);
        free(member->expression);
        free(member->row_value);
        free(member->type);
        free(member->collation);
        free(member->default_text);
    }
    free(members->items);
}

static bool open_members(struct members *members, const char *text)
{
    struct assignment *assignments;
    bool fine = using_assignments(text, &assignments, &members->count);

    members->items = allocate(NULL, members->count + 1, sizeof(*members->items));
    for (size_t i = 0; i < members->count; i++)
        members->items[i] = (struct member){
            .name = allocate_text("%s", assignments[i].name),
            .quoted = emit_name(assignments[i].name),
            .expression = allocate_text("%s", assignments[i].expression),
        };
    using_free_assignments(assignments, members->count);
    return fine;
}

static struct member *find_member(const struct members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++)
        if (strcmp(members->items[i].name, name) == 0)
            return &members->items[i];
    return NULL;
}

char *shapes_list(const struct members *members, char *(*from)(const struct member *member))
{
    char *list = allocate_text("%s", "");

    for (size_t i = 0; i < members->count; i++) {
        char *next = from(&members->items[i]);
        char *longer = allocate_text("%s%s%s", list, i == 0 ? "" : ", ", next);

        free(next);
        free(list);
        list = longer;
    }
    return list;
}

bool shapes_are_complete(const struct shapes *shapes)
{
    for (size_t i = 0; i < shapes->old.count; i++)
        if (shapes->old.items[i].type == NULL)
            return false;
    for (size_t i = 0; i < shapes->new.count; i++)
        if (shapes->new.items[i].type == NULL)
            return false;
    return true;
}

void shapes_refuse(struct place *place, struct shapes *shapes, const char *column, const char *why)
{
    statement_report(place->statement, RULE_BAD_SPLIT, column, "'%s' cannot be part of this '%s': %s", column,
                     shapes->word, why);
    shapes->refused = true;
}

/* ---- the directive ---- */

static void check_count(struct place *place, struct shapes *shapes)
{
    bool splits = strcmp(shapes->word, "split") == 0;

    if ((splits ? shapes->old.count : shapes->new.count) == 1)
        return;
    statement_report(place->statement, RULE_BAD_SPLIT, shapes->table->name,
                     splits ? "'split' is about one old column, which is in 'down'"
                            : "'merge' is about one new column, which is in 'up'");
    shapes->refused = true;
}

static void check_names(struct place *place, struct shapes *shapes)
{
    for (size_t i = 0; i < shapes->old.count; i++)
        if (catalog_column(shapes->table, shapes->old.items[i].name) == NULL)
            shapes_refuse(place, shapes, shapes->old.items[i].name,
                          "the table has no such column to be dropped");
    for (size_t i = 0; i < shapes->new.count; i++)
        if (catalog_column(shapes->table, shapes->new.items[i].name) != NULL)
            shapes_refuse(place, shapes, shapes->new.items[i].name, "the table has such a column already");
}

static void bind(struct place *place, struct shapes *shapes, struct members *members,
                 const struct using_names *names)
{
    for (size_t i = 0; i < members->count; i++) {
        struct member *member = &members->items[i];

        member->row_value = using_in_row(member->expression, names);
        if (member->row_value != NULL && strstr(member->row_value, "$schemagate$") == NULL)
            continue;
        statement_report(place->statement, RULE_NO_CONVERSION, member->name,
                         "'%s' is no expression of the %s columns of this row", member->expression,
                         members == &shapes->new ? "old" : "new");
        shapes->refused = true;
    }
}

static char **names_of(const struct members *members)
{
    char **names = allocate(NULL, members->count + 1, sizeof(*names));

    for (size_t i = 0; i < members->count; i++)
        names[i] = members->items[i].name;
    return names;
}

static void bind_all(struct place *place, struct shapes *shapes)
{
    char **old = names_of(&shapes->old), **new = names_of(&shapes->new);

    bind(place, shapes, &shapes->new,
         &(struct using_names){.statement = place->statement, .table = shapes->table});
    bind(place, shapes, &shapes->old,
         &(struct using_names){.statement = place->statement,
                               .table = shapes->table,
                               .others = new,
                               .other_count = shapes->new.count,
                               .hidden = old,
                               .hidden_count = shapes->old.count});
    free(old);
    free(new);
}

static bool is_about_columns(const struct operation *operation)
{
    return (operation->kind == OP_ADD_COLUMN || operation->kind == OP_DROP_COLUMN) && !operation->on_new
           && operation->constraint == NULL;
}

static void check_all(struct place *place, struct shapes *shapes)
{
    const char *why = coexist_obstacle(shapes->table);

    check_count(place, shapes);
    if (why != NULL) {
        statement_report(place->statement, RULE_BAD_SPLIT, shapes->table->name,
                         "columns of '%s' cannot be kept in step: %s", shapes->table->name, why);
        shapes->refused = true;
    }
    check_names(place, shapes);
    if (!shapes->refused)
        bind_all(place, shapes);
}

void split_columns_open(struct place *place)
{
    struct split *split = place->split;
    struct shapes *shapes;
    const struct using *using;

    if (!is_about_columns(place->operation) || (using = using_of(place->statement, true)) == NULL
        || (split->shape_count > 0 && split->shapes[split->shape_count - 1]->offset == using->offset))
        return;
    if (place->operation->known == NULL) {
        statement_report(place->statement, RULE_BAD_SPLIT, place->operation->table,
                         "what '%s' has is not known without the database", place->operation->table);
        return;
    }
    shapes = allocate(NULL, 1, sizeof(*shapes));
    *shapes = (struct shapes){
        .table = place->operation->known, .offset = using->offset, .word = using->word};
    split->shapes = allocate_one_more(split->shapes, split->shape_count, sizeof(*split->shapes));
    split->shapes[split->shape_count++] = shapes;
    if (open_members(&shapes->new, using->up) && open_members(&shapes->old, using->down)) {
        check_all(place, shapes);
    } else {
        statement_report(place->statement, RULE_BAD_SPLIT, shapes->table->name,
                         "'%s' is no list of assignments like 'a = upper(c), b = 1'",
                         shapes->new.count == 0 ? using->up : using->down);
        shapes->refused = true;
    }
}

static void report_missing(struct split *split, const struct shapes *shapes, const struct members *members,
                           const char *what)
{
    for (size_t i = 0; !shapes->refused && i < members->count; i++)
        if (members->items[i].type == NULL)
            reader_report(split->reader, RULE_BAD_SPLIT, shapes->offset, members->items[i].name,
                          "no statement of the file %s '%s'", what, members->items[i].name);
}

void split_columns_finish(struct split *split)
{
    for (size_t i = 0; i < split->shape_count; i++) {
        struct shapes *shapes = split->shapes[i];

        report_missing(split, shapes, &shapes->new, "adds");
        report_missing(split, shapes, &shapes->old, "drops");
        close_members(&shapes->old);
        close_members(&shapes->new);
        free(shapes);
    }
    free(split->shapes);
}

struct shapes *shapes_find(const struct place *place, struct member **member)
{
    const struct operation *operation = place->operation;

    for (size_t i = 0; is_about_columns(operation) && i < place->split->shape_count; i++) {
        struct shapes *shapes = place->split->shapes[i];

        if (operation->known != shapes->table)
            continue;
        *member = find_member(operation->kind == OP_ADD_COLUMN ? &shapes->new : &shapes->old,
                              operation->column);
        if (*member != NULL)
            return shapes;
    }
    return NULL;
}

bool form_is_split(const struct place *place)
{
    struct member *member;

    return shapes_find(place, &member) != NULL;
}
