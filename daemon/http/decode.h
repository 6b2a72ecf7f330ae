/* Input as data: each request is described by a shape, a table of rows (member, kind, bounds, where the
 * value goes), and one decoder checks and stores it. Bodies, queries and paths are decoded by the same rows.
 * All mistakes are found, not just the first one. */
#ifndef HTTP_DECODE_H
#define HTTP_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_TEXT,    /* const char *: one line, low … high bytes */
    FIELD_SQL,     /* const char *: any text, at most `high` bytes (0: no bound) */
    FIELD_NAME,    /* const char *: 1 … high of A-Z a-z 0-9 . _ : - */
    FIELD_INTEGER, /* int64_t: low … high */
    FIELD_BOOLEAN, /* bool; in a query, the name alone means true */
    FIELD_CHOICE,  /* int: place in `choices`, -1 where it is absent */
    FIELD_OBJECT,  /* a struct whose first member is a struct object_state, by `shape` */
    FIELD_TEXTS,   /* const json_t *: an object whose members are texts, at most `high` of them */
    FIELD_LINES,   /* const json_t *: a list of texts of one line, at most `high` of them */
    FIELD_LIST     /* const json_t *: a list of objects by `shape`, low … high of them; the handler decodes
                      each with decode_object */
};

struct object_state {
    bool given, null; /* null: given as null, where `nullable` allows it */
};

struct shape;

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset; /* of the value in the struct that the shape describes */
    bool required, nullable;
    int64_t low, high;
    int64_t fallback;           /* FIELD_INTEGER: the value where it is absent */
    const char *const *choices; /* FIELD_CHOICE: ends with NULL */
    const struct shape *shape;  /* FIELD_OBJECT, FIELD_LIST */
    const char *about;          /* for people, in /openapi.json */
};

struct mistakes;

struct shape {
    const struct field *fields;
    size_t count; /* at most 32 */
    size_t size;  /* of the struct */
    /* What one row cannot say; NULL: nothing. Called where no row was violated. */
    void (*check)(const void *values, const char *prefix, struct mistakes *mistakes);
};

#define SHAPE(fields_, struct_, check_)                                                            \
    {.fields = (fields_), .count = sizeof(fields_) / sizeof((fields_)[0]), .size = sizeof(struct_),  \
     .check = (check_)}

#define MISTAKES_MAX 16
#define POINTER_SIZE 160
#define LINE_MAXIMUM 200 /* of an item of FIELD_LINES */

struct mistake {
    char pointer[POINTER_SIZE];
    const char *in; /* "body", "query", "path" */
    char detail[200];
};

struct mistakes {
    const char *in;
    bool whole_as_real; /* the JSON was read with whole numbers as reals, because one of them is too large */
    size_t count;
    struct mistake items[MISTAKES_MAX];
};

/* None so far. Large, and empty nearly always: only what counts is set. */
static inline void mistakes_begin(struct mistakes *mistakes, const char *in)
{
    mistakes->in = in;
    mistakes->whole_as_real = false;
    mistakes->count = 0;
}

/* Adds one; what goes over MISTAKES_MAX is not kept. `member` may be NULL: prefix alone is meant. */
void mistakes_add(struct mistakes *mistakes, const char *prefix, const char *member, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* Stores the values of absent fields: 0, NULL, false, or the fallback. */
void decode_defaults(const struct shape *shape, void *values);

/* Reads an object; texts stay inside of it. prefix: JSON pointer of the object, "" at the top. */
void decode_object(const struct shape *shape, json_t *object, const char *prefix, void *values,
                   struct mistakes *mistakes);

/* Reads one parameter of a query or a path. text: NULL where only the name stands there. `seen` collects
 * which fields were there. */
void decode_parameter(const struct shape *shape, const char *name, const char *text, void *values,
                      uint32_t *seen, struct mistakes *mistakes);

/* Adds what is required and not there, then calls the shape's own check. */
void decode_finish(const struct shape *shape, uint32_t seen, const char *prefix, const void *values,
                   struct mistakes *mistakes);

#endif
