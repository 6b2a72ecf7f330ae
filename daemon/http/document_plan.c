/* A plan: what would run, and what is to be said about it (documents.h). */
#include "documents.h"

#include <schemagate/http/plan_document.h>

void document_findings(struct writer *w, const struct plan *plan)
{
    writer_open_list(w, "findings");
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct plan_finding *finding = &plan->findings[i];
        writer_open_object(w, NULL);
        writer_text(w, "id", finding->id);
        writer_text(w, "severity", plan_severity_name(finding->severity));
        writer_version(w, "line", finding->line);
        writer_version(w, "column", finding->column);
        writer_text(w, "object", finding->object);
        writer_text(w, "message", finding->message);
        writer_text(w, "why", finding->why);
        writer_text(w, "fix", finding->fix);
        writer_bool(w, "allowed", finding->allowed);
        writer_text(w, "allow_reason", finding->allow_reason);
        writer_close_object(w);
    }
    writer_close_list(w);
}

static void write_locks(struct writer *w, const struct plan_work *work)
{
    enum plan_lock strongest = LOCK_NONE;

    for (size_t i = 0; i < work->lock_count; i++)
        strongest = work->locks[i].mode > strongest ? work->locks[i].mode : strongest;
    writer_text(w, "lock", strongest == LOCK_NONE ? NULL : plan_lock_name(strongest));
    writer_open_list(w, "locks");
    for (size_t i = 0; i < work->lock_count; i++) {
        writer_open_object(w, NULL);
        writer_text(w, "relation", work->locks[i].relation);
        writer_text(w, "mode", plan_lock_name(work->locks[i].mode));
        writer_bool(w, "parents", work->locks[i].parents);
        writer_close_object(w);
    }
    writer_close_list(w);
}

void document_work(struct writer *w, const struct plan_work *work)
{
    writer_text(w, "kind", plan_kind_name(work->kind));
    writer_text(w, "object", work->object);
    write_locks(w, work);
    writer_version(w, "source", work->source);
    writer_bool(w, "generated", work->generated);
    writer_text(w, "note", work->note);
}

/* Of the table's own there is nothing to say where only the catalog changes. */
static void write_cost(struct writer *w, const struct plan_cost *cost)
{
    writer_open_object(w, "takes");
    writer_text(w, "effort", plan_effort_name(cost->effort));
    writer_text(w, "table", cost->table);
    writer_count(w, "rows", cost->table == NULL ? -1 : cost->rows);
    writer_count(w, "bytes", cost->table == NULL ? -1 : cost->bytes);
    writer_close_object(w);
}

static void write_statements(struct writer *w, const struct plan *plan, enum plan_section section)
{
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i];

        if (statement->section != section)
            continue;
        writer_open_object(w, NULL);
        writer_text(w, "phase", plan_section_name(section));
        writer_number(w, "n", statement->number);
        writer_text(w, "sql", statement->sql);
        writer_bool(w, "transactional", statement->transactional);
        writer_number(w, "transaction", statement->transaction);
        writer_number(w, "line", statement->line);
        writer_number(w, "column", statement->column);
        document_work(w, &statement->work);
        write_cost(w, &statement->work.cost);
        writer_close_object(w);
    }
}

void http_write_plan(struct buf *out, const struct plan *plan)
{
    struct writer w = WRITER_INIT(out);

    writer_open_object(&w, NULL);
    writer_text(&w, "checksum", plan->checksum);
    writer_text(&w, "plan_checksum", plan->plan_checksum);
    writer_bool(&w, "refused", plan_is_refused(plan));
    writer_open_list(&w, "steps");
    for (enum plan_section section = 0; section < PLAN_SECTIONS; section++)
        write_statements(&w, plan, section);
    writer_close_list(&w);
    document_findings(&w, plan);
    writer_close_object(&w);
}
