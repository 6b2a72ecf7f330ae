/* Putting the statements of a plan together: those of the file as they stand, and generated ones. They may be
 * added in any order of sections; emit_finish numbers them and groups them into transactions. */
#ifndef PLAN_EMIT_H
#define PLAN_EMIT_H

#include "statement.h"

#include <schemagate/plan/work.h>

/* What a statement needs around it. */
enum emit_alone {
    EMIT_SHARED,     /* shares a transaction with its neighbours, as far as they do */
    EMIT_WITH,       /* shares the transaction of the one before it, whatever it locks: half would be wrong */
    EMIT_BEGINS,     /* begins a transaction, which those behind it may share */
    EMIT_SEPARATE,   /* a transaction of its own: it locks a table that others should not wait for */
    EMIT_OUTSIDE     /* PostgreSQL refuses it inside a transaction */
};

/* Adds a statement; the text is formatted. `source` is the statement of the file that it comes from: its
 * place, and its number, are taken over. The text is parsed: the locks are filled in, and so is the kind of
 * what runs CONCURRENTLY, which stands outside of transactions whatever `alone` says. The result is valid
 * until the next call; the rest of its work may be filled in by the caller. */
struct plan_statement *emit(struct statement *source, enum plan_section section, enum emit_alone alone,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));
struct plan_statement *emit_v(struct statement *source, enum plan_section section, enum emit_alone alone,
                              const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

/* The same for the statement's own text, as it was written. */
struct plan_statement *emit_as_written(struct statement *source, enum plan_section section,
                                       enum emit_alone alone);

/* The step that runs a configured command; argument NULL: none. */
void emit_run(struct statement *source, const char *name, const char *argument);

/* Undo runs backwards: what is added here stands before all that was added before. */
struct plan_statement *emit_undo(struct statement *source, enum emit_alone alone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A SET that holds for what is added from here on: transactions that need it begin with it. */
void emit_setting(struct statement *source);

/* True if such a SET would stand before what is added now. */
bool emit_has_settings(const struct reader *reader);

/* From here on neighbours share a transaction only as far as it locks one table against writers: who waits
 * for a lock holds none that others wait for. (Without it sections are grouped as they were written.) */
void emit_one_table_each(struct reader *reader);

/* Takes back what was added to a section. */
void emit_forget(struct reader *reader, enum plan_section section);

/* Numbers and groups, and hands all to the plan. Statements may be added no more. */
void emit_finish(struct reader *reader);

/* A name in double quotes where it needs them; "schema"."name" where schema is not NULL. Owned by the
 * caller. */
char *emit_name(const char *name);
char *emit_qualified(const char *schema, const char *name);
/* A string constant. Owned by the caller. */
char *emit_string(const char *text);

#endif
