/* Pieces of the submitted text, and the names that PostgreSQL gives to what has none: generated
 * statements keep as much of what was written as they can. All results are owned by the caller. */
#ifndef PLAN_PIECE_H
#define PLAN_PIECE_H

#include "operation.h"

/* [start, end) of the text, without blanks and comments at its end. */
char *piece_of(const struct reader *reader, size_t start, size_t end);

/* The same with `text` put in at `at`. */
char *piece_with(const struct reader *reader, size_t start, size_t end, size_t at, const char *text);

/* Where the first token of that kind stands in [start, end), outside of parentheses that open there; `end` if
 * there is none. */
size_t piece_token(const struct reader *reader, size_t start, size_t end, int kind);

/* Where the parenthesis that opens at or behind `start` is closed: behind it. `end` if there is none. */
size_t piece_parenthesis(const struct reader *reader, size_t start, size_t end);

/* makeObjectName of PostgreSQL: name1_name2_label, cut to 63 bytes; name2 may be NULL. */
char *piece_object_name(const char *name1, const char *name2, const char *label);

/* ChooseIndexName: table_columns_idx. */
char *piece_index_name(const PgQuery__IndexStmt *index);

/* The one column that an expression names; NULL if it names none or several. */
char *piece_single_column(const PgQuery__Node *expression);

/* A constraint's own name, or the one that PostgreSQL would choose on a table. */
char *piece_constraint_name(const char *table, const PgQuery__Constraint *constraint, const char *column);

#endif
