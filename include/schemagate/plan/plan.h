/* A migration file, read: SQL text in, phases, statements and findings out. Pure: no clock, no I/O, no
 * database. It runs in the planner's worker process, because the grammar can be crashed by hostile
 * nesting (docs/design.md §8). The file format is docs/design.md §6. */
#ifndef SCHEMAGATE_PLAN_PLAN_H
#define SCHEMAGATE_PLAN_PLAN_H

#include <schemagate/plan/options.h>
#include <schemagate/plan/work.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The four sections of a migration file, in the order in which they are written, and behind them two that the
 * planner adds where the contract hides before it drops (docs/design.md §6, reversible contracts). */
enum plan_section {
    PLAN_EXPAND,
    PLAN_BACKFILL,
    PLAN_CONTRACT,
    PLAN_UNDO,
    PLAN_WRITTEN_SECTIONS, /* how many a file can have */
    PLAN_PURGE = PLAN_WRITTEN_SECTIONS,
    PLAN_RESTORE,
    PLAN_SECTIONS
};

/* "expand", "backfill", "contract", "undo", "purge", "restore" */
const char *plan_section_name(enum plan_section section);

enum plan_severity { PLAN_NOTE, PLAN_WARNING, PLAN_ERROR };

const char *plan_severity_name(enum plan_severity severity); /* "note", "warning", "error" */

/* One statement as it will be sent to PostgreSQL. */
struct plan_statement {
    enum plan_section section;
    unsigned number;      /* 1… within its section */
    unsigned transaction; /* 1… within its section: statements that share a number share a transaction */
    bool transactional;   /* false: PostgreSQL refuses it inside a transaction block */
    unsigned line, column; /* of its first token in the submitted text, from 1 */
    char *sql;            /* owned; without the semicolon */
    struct plan_work work;
};

/* What is to be said about the file. Any finding of PLAN_ERROR that is not allowed refuses it. */
struct plan_finding {
    const char *id; /* stable, static: "syntax-error", "sql-before-section", … */
    enum plan_severity severity;
    unsigned line, column; /* from 1; 0: the file as a whole */
    char *object;          /* owned; the thing it is about, or NULL */
    char *message;         /* owned; what is wrong */
    const char *why;       /* static or NULL */
    char *fix;             /* owned; what to do, or NULL */
    bool allowed;          /* an `allow` directive names it */
    char *allow_reason;    /* owned or NULL */
};

/* A table, index, view, sequence or type that the statements name: what the catalog is asked about. As it
 * was written, without quotes. */
struct plan_need {
    char *schema; /* owned; NULL: as search_path finds it */
    char *name;   /* owned */
};

/* What a submitted statement does: one of these, or several, for each (docs/findings.md has the words). */
struct plan_operation {
    const char *kind, *class; /* static: "add-column", "additive" */
    enum plan_section section;
    unsigned line, column; /* from 1 */
    unsigned source;       /* the submitted statement, 1… in the file, as in plan_work */
    enum plan_lock lock;   /* on the object, while the statement runs as it was written */
    bool rewrites, scans;  /* the table, under that lock */
    bool on_new;           /* nobody can have used the object before */
    char *object;          /* owned; "schema.table.column" as far as they were written; "" none */
};

struct plan {
    /* From the `migration` directive; what is not said is NULL or -1. */
    char *name, *approval; /* approval: "auto" or "manual" */
    int64_t soak_seconds, requires;
    int64_t keep_hours; /* what counts of request, file and configuration */

    bool has_section[PLAN_WRITTEN_SECTIONS];
    struct plan_statement *statements;
    size_t statement_count;
    struct plan_finding *findings;
    size_t finding_count;
    struct plan_operation *operations; /* in the order of the file */
    size_t operation_count;
    struct plan_need *needs; /* each once, in the order of the text */
    size_t need_count;

    /* Filled by the worker, not by plan_read: tagged SHA-256 (base/digest.h) of the submitted text, and
     * of the statements with their phases and transactions as they will run. Owned. */
    char *checksum, *plan_checksum;
};

/* Reads a file of `length` bytes. options NULL: none. Never NULL; every mistake is a finding. The caller
 * frees. */
struct plan *plan_read(const char *sql, size_t length, const struct plan_options *options);
void plan_free(struct plan *plan);

/* Adds the finding that the plan was made without the catalog's facts, and why; nothing where it needs
 * none. */
void plan_note_no_facts(struct plan *plan, const char *reason);

/* True if a finding refuses the file. */
bool plan_is_refused(const struct plan *plan);

/* The file that submitted parts stand for: each part that is not NULL under its marker (docs/design.md
 * §6, idempotence). The caller frees. */
char *plan_join_parts(const char *const parts[PLAN_WRITTEN_SECTIONS]);

#define PLAN_VERSION_MAX ((INT64_C(1) << 48) - 1)

/* Reads version and name from a migration file's name: [Vv]?0*(digits)_+(name)(.up)?.sql. `name` (may be
 * NULL) is set to a copy that the caller frees. Returns the version, or -1 if the name does not match or
 * the version is out of range. */
int64_t plan_file_version(const char *file_name, char **name);

#endif
