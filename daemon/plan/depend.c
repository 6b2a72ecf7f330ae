/* Order across phases, by names: what names a thing that an earlier statement of the file changes in a later
 * phase has to follow it there. Bodies of functions are not looked into. */
#include "allocate.h"
#include "split.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* What is known about a word. */
enum landed_kind {
    LANDED_OBJECT, /* a relation, index, constraint, trigger … of that name is changed */
    LANDED_COLUMN, /* a column of that name is changed: see `tables` */
    LANDED_KEY,    /* a key that foreign keys need is added to the table of that name */
    LANDED_ROWS,   /* rows of the table are changed */
    LANDED_MENTION,
    LANDED_KINDS
};

struct landed_table {
    char *table; /* owned */
    enum plan_section section;
};

struct landed {
    enum plan_section latest[LANDED_KINDS]; /* PLAN_EXPAND: nothing */
    struct landed_table *tables;            /* whose column of that name is changed */
    size_t table_count;
    UT_hash_handle hh;
    char word[];
};

struct depend {
    struct landed *landed; /* a hash table by word */
    enum plan_section rows; /* where the latest change of rows is */
};

struct word {
    UT_hash_handle hh;
    char text[];
};

struct words {
    struct word *set; /* a hash table */
};

struct depend *depend_new(void)
{
    struct depend *depend = allocate(NULL, 1, sizeof(*depend));

    *depend = (struct depend){0};
    return depend;
}

void depend_free(struct depend *depend)
{
    struct landed *landed, *next;

    HASH_ITER(hh, depend->landed, landed, next)
    {
        HASH_DEL(depend->landed, landed);
        for (size_t i = 0; i < landed->table_count; i++)
            free(landed->tables[i].table);
        free(landed->tables);
        free(landed);
    }
    free(depend);
}

/* ---- the words of an operation ---- */

static bool has_word(const struct words *words, const char *text)
{
    struct word *word;

    HASH_FIND_STR(words->set, text, word);
    return word != NULL;
}

static void add_word(struct words *words, const char *text)
{
    struct word *word;

    if (text == NULL || *text == '\0' || has_word(words, text))
        return;
    word = allocate(NULL, 1, sizeof(*word) + strlen(text) + 1);
    memset(word, 0, sizeof(*word));
    strcpy(word->text, text);
    HASH_ADD_STR(words->set, text, word);
}

/* Values are no names. */
static bool is_looked_into(void *context, const ProtobufCMessage *message)
{
    (void)context;
    return message->descriptor != &pg_query__a__const__descriptor;
}

/* Members that hold a letter for a choice. */
static const char *const letters[] = {
    "relpersistence", "fk_matchtype", "fk_upd_action", "fk_del_action", "generated_when", "identity_type",
    "identity",       "generated",    "storage",
};

static void take_text(void *context, const ProtobufCFieldDescriptor *field, const char *text)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (strcmp(letters[i], field->name) == 0)
            return;
    add_word(context, text);
}

static void words_read(struct words *words, const struct operation *operation)
{
    const ProtobufCMessage *tree =
        operation->command != NULL ? &operation->command->base : &operation->node->base;

    *words = (struct words){0};
    tree_walk(tree, &(struct tree_visitor){.message = is_looked_into, .text = take_text, .context = words});
    add_word(words, operation->table);
    add_word(words, operation->column);
    add_word(words, operation->object);
}

static void words_clear(struct words *words)
{
    struct word *word, *next;

    HASH_ITER(hh, words->set, word, next)
    {
        HASH_DEL(words->set, word);
        free(word);
    }
}

/* ---- what has landed ---- */

static struct landed *landed_find(const struct depend *depend, const char *text)
{
    struct landed *landed = NULL;

    if (text != NULL)
        HASH_FIND_STR(depend->landed, text, landed);
    return landed;
}

static struct landed *landed_at(struct depend *depend, const char *text)
{
    struct landed *landed = landed_find(depend, text);

    if (landed != NULL)
        return landed;
    landed = allocate(NULL, 1, sizeof(*landed) + strlen(text) + 1);
    memset(landed, 0, sizeof(*landed));
    strcpy(landed->word, text);
    HASH_ADD_STR(depend->landed, word, landed);
    return landed;
}

static void move_to(enum plan_section *section, enum plan_section other)
{
    if (*section < other)
        *section = other;
}

static void note(struct depend *depend, enum landed_kind kind, const char *text, enum plan_section section)
{
    if (text != NULL)
        move_to(&landed_at(depend, text)->latest[kind], section);
}

static void note_column(struct depend *depend, const char *table, const char *column,
                        enum plan_section section)
{
    struct landed *landed = landed_at(depend, column);

    move_to(&landed->latest[LANDED_COLUMN], section);
    landed->tables = allocate_one_more(landed->tables, landed->table_count, sizeof(*landed->tables));
    landed->tables[landed->table_count++] =
        (struct landed_table){.table = allocate_text("%s", table), .section = section};
}

static bool changes_rows(const struct operation *operation)
{
    return operation->class == CLASS_DATA;
}

static bool adds_key(const struct operation *operation)
{
    return operation->kind == OP_ADD_UNIQUE || operation->kind == OP_ADD_PRIMARY_KEY
           || operation->kind == OP_ADD_USING_INDEX;
}

static bool adds_member(const struct operation *operation)
{
    return operation->kind >= OP_ADD_CHECK && operation->kind <= OP_ADD_USING_INDEX;
}

/* What statements behind it could stumble over: names that come or go. */
static bool changes_names(const struct operation *operation)
{
    enum operation_class class = operation_kinds[operation->kind].class;

    return operation->class == CLASS_REMOVES || class == CLASS_REMOVES || adds_member(operation)
           || operation->kind == OP_ADD_COLUMN || operation->kind == OP_CREATE_INDEX
           || operation->kind == OP_CREATE_TABLE || operation->kind == OP_CREATE_TABLE_AS
           || operation->kind == OP_CREATE_VIEW || operation->kind == OP_CREATE_TYPE
           || operation->kind == OP_CREATE_FUNCTION || operation->kind == OP_CREATE_TRIGGER
           || operation->kind == OP_CREATE_SEQUENCE || operation->kind == OP_CREATE_DOMAIN;
}

static void note_change(struct depend *depend, const struct operation *operation, enum plan_section section)
{
    if (changes_rows(operation))
        note(depend, LANDED_ROWS, operation->table, section);
    if (adds_key(operation))
        note(depend, LANDED_KEY, operation->table, section);
    if (!changes_names(operation))
        return;
    note(depend, LANDED_OBJECT, operation->object, section);
    if (operation->kind == OP_DETACH_PARTITION)
        note(depend, LANDED_OBJECT, operation->other_table, section);
    else if (operation->column != NULL && operation->table != NULL)
        note_column(depend, operation->table, operation->column, section);
    else if (operation->object == NULL && !adds_member(operation))
        note(depend, LANDED_OBJECT, operation->table, section);
}

/* The new shape is there from the expand on; the old one's name is free when the contract is done. */
static void note_old_shape(struct depend *depend, const struct operation *operation)
{
    if (operation->column != NULL)
        note_column(depend, operation->table, operation->column, PLAN_CONTRACT);
    else
        note(depend, LANDED_OBJECT, operation->table, PLAN_CONTRACT);
}

void depend_note(struct depend *depend, const struct place *place)
{
    struct words words;
    struct word *word, *next;

    if (form_coexists(place)) {
        note_old_shape(depend, place->operation);
        return;
    }
    if (place->section == PLAN_EXPAND)
        return;
    if (changes_rows(place->operation))
        move_to(&depend->rows, PLAN_BACKFILL);
    note_change(depend, place->operation, place->section);
    words_read(&words, place->operation);
    HASH_ITER(hh, words.set, word, next)
    {
        note(depend, LANDED_MENTION, word->text, place->section);
    }
    words_clear(&words);
}

/* ---- what follows ---- */

static bool names_keys(const struct operation *operation)
{
    return operation->kind == OP_ADD_FOREIGN_KEY || operation->kind == OP_CREATE_TABLE
           || operation->kind == OP_ADD_COLUMN;
}

static void follow_word(const struct depend *depend, const struct operation *operation,
                        const struct words *words, const char *text, enum plan_section *earliest)
{
    const struct landed *landed = landed_find(depend, text);

    if (landed == NULL)
        return;
    move_to(earliest, landed->latest[LANDED_OBJECT]);
    if (names_keys(operation) && (operation->table == NULL || strcmp(operation->table, text) != 0))
        move_to(earliest, landed->latest[LANDED_KEY]);
    if (changes_rows(operation) || operation->kind == OP_SELECT)
        move_to(earliest, landed->latest[LANDED_ROWS]);
    for (size_t i = 0; i < landed->table_count; i++)
        if (has_word(words, landed->tables[i].table))
            move_to(earliest, landed->tables[i].section);
}

/* What takes something away must not come before what needs it. */
static bool takes_away(const struct operation *operation)
{
    return operation_kinds[operation->kind].class == CLASS_REMOVES;
}

enum plan_section depend_earliest(const struct depend *depend, const struct place *place)
{
    const struct operation *operation = place->operation;
    enum plan_section earliest = PLAN_EXPAND;
    struct words words;
    struct word *word, *next;

    if (depend->landed == NULL)
        return PLAN_EXPAND;
    if (changes_rows(operation) || operation->kind == OP_SELECT)
        earliest = depend->rows;
    words_read(&words, operation);
    HASH_ITER(hh, words.set, word, next)
    {
        follow_word(depend, operation, &words, word->text, &earliest);
    }
    words_clear(&words);
    if (operation->class == CLASS_TIGHTENS && landed_find(depend, operation->table) != NULL)
        move_to(&earliest, landed_find(depend, operation->table)->latest[LANDED_ROWS]);
    if (takes_away(operation)) {
        const char *gone = operation->object != NULL   ? operation->object
                           : operation->column != NULL ? operation->column
                                                       : operation->table;
        const struct landed *landed = landed_find(depend, gone);

        if (landed != NULL)
            move_to(&earliest, landed->latest[LANDED_MENTION]);
    }
    return earliest;
}
