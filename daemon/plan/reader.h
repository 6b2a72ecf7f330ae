/* What the steps of plan_read share: the text, its tokens, its sections and its exceptions. */
#ifndef PLAN_READER_H
#define PLAN_READER_H

#include "created.h"
#include "text.h"

#include <schemagate/plan/plan.h>
#include <schemagate/plan/rule.h>

/* A token of libpg_query's scanner. The ends of tokens are not kept: those of U&'…' are wrong there. */
struct token {
    size_t start;
    int kind; /* enum PgQuery__Token */
};

struct section {
    bool atomic;
    bool bound; /* what was read so far holds for the statements behind it (backfill.h) */
    size_t start, end; /* of its text: behind its marker, up to the next one */
};

/* An `allow` directive. */
enum allowance_state {
    ALLOWANCE_READ,   /* no statement has been found for it yet */
    ALLOWANCE_PLACED, /* its statement is known */
    ALLOWANCE_USED    /* it let a finding pass, or nothing more is to be said about it */
};

struct allowance {
    enum plan_rule_id rule;
    enum allowance_state state;
    size_t offset;
    char *reason; /* owned */
};

/* A `using`, `split` or `merge` directive (using.h). */
struct using {
    enum allowance_state state;
    size_t offset;
    const char *word; /* static: which of them */
    bool assigns;     /* not `using`: the texts are lists of assignments, as in UPDATE … SET */
    char *up, *down;  /* owned; down may be NULL, unless it assigns */
};

/* A `run` directive: a step that is a configured command. */
struct run {
    size_t offset;
    char *name, *argument; /* owned; argument NULL: none */
};

struct need; /* needs.c */

struct reader {
    struct plan *plan;
    struct plan_options options;
    struct need *needs; /* those of plan->needs, by name */
    struct text text;
    struct token *tokens;
    size_t token_count;
    struct section sections[PLAN_WRITTEN_SECTIONS]; /* those that plan->has_section has */
    struct section *open;                   /* while markers are read: the latest one, or NULL */
    bool migration_seen, marker_seen;
    bool revokes; /* a contract that hides takes privileges away, instead of renaming */
    struct allowance *allowances;           /* in the order of the text */
    size_t allowance_count;
    struct using *usings; /* in the order of the text */
    size_t using_count;
    struct run *runs; /* in the order of the text */
    size_t run_count;
    unsigned statement_count;   /* read so far */
    bool event_trigger_said;    /* one remark is enough */
    bool style;                 /* rules of style are asked for */
    struct {
        char *table; /* owned; NULL: none. Quoted */
        unsigned line;
        enum plan_lock lock;
    } held; /* the last lock that stops writers which the transaction so far has taken (judge.c) */
    struct created created[PLAN_SECTIONS]; /* by the section whose locks matter to nobody then (classify.c) */
    struct split *split;        /* while a file without sections is read; else NULL */
    struct emission *emission;  /* emit.c: the statements of the plan to be; NULL: none yet */
};

/* Records a finding about the text at `offset`, or, with READER_WHOLE_FILE, about all of it. The message
 * says what is wrong; severity, reason and remedy are the rule's. */
#define READER_WHOLE_FILE ((size_t)-1)
struct plan_finding *reader_report(struct reader *reader, enum plan_rule_id rule, size_t offset,
                                   const char *object, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* As much of a foreign text as a message may quote: its first line, cut at a character where it is long.
 * The result is owned by the caller. */
char *reader_quote(const char *text, size_t length);

/* The first token that starts at or behind `offset`; token_count if there is none. */
size_t reader_token_at(const struct reader *reader, size_t offset);

/* Narrows [start, end) to what is written there, without comments before and behind it. */
void reader_trim(const struct reader *reader, size_t *start, size_t *end);

/* True for comments, and for what was blanked. */
bool reader_is_comment(const struct token *token);

/* Tells the text into tokens; false if that is not possible. As all steps, it records what it finds. */
bool reader_scan(struct reader *reader);

/* Reads the line comment at `start` (markers.c); the sections are known when all have been closed. */
void reader_read_marker(struct reader *reader, size_t start);
void reader_close_markers(struct reader *reader);

/* Notes that the text names something which the catalog may know (needs.c). schema: NULL or "" where none is
 * written. */
void reader_need(struct reader *reader, const char *schema, const char *name);
void reader_forget_needs(struct reader *reader);

/* With hours to keep, lets the contract hide what it drops, and adds the sections purge and restore (hide.c).
 * Comes last: it looks at the statements as they will run. */
void reader_hide(struct reader *reader);

/* Reads the statements of a section (section.c). */
void reader_read_section(struct reader *reader, enum plan_section section);

/* Reads those of a file without sections, and gives each to `take`. */
struct statement;
typedef void reader_take(struct statement *statement);
void reader_read_whole(struct reader *reader, reader_take *take);

/* Finds a phase for each statement of a file without sections (split.c). */
void reader_split(struct reader *reader);

#endif
