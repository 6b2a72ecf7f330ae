/* Any bytes at all, read as a migration: nothing may crash, and what comes out keeps its promises. The
 * codec is fuzzed along: what is encoded is decoded to the same, and foreign bytes are refused. */
#include "../../daemon/service/planner_codec.h"
#include "fuzz.h"

#include <schemagate/base/buf.h>
#include <schemagate/plan/plan.h>

#include <assert.h>
#include <pg_query.h>
#include <string.h>

const char *const fuzz_words[] = {
    "-- schemagate: ", "migration", "\n-- schemagate: expand\n", "\n-- schemagate: backfill\n",
    "\n-- schemagate: contract\n", "\n-- schemagate: undo\n",
    "\n-- schemagate: allow suspect-do-block reason=x\n", " atomic=no", " hide=rename", " name=\"",
    " soak_seconds=", " requires=", "CONCURRENTLY ", "DROP ",
    "ALTER TABLE t ADD ", " NOT VALID", " DEFAULT ", "CHECK (", " REFERENCES u",
    "\n-- schemagate: allow unparsed reason=x\n", "COPY t FROM stdin;", "DO $$", "$$", "$a$",
    "/*", "*/", "--", "U&'", "E'", "\\", "schemagate.", "pg_advisory_lock(", " BEGIN ATOMIC ", "\r\n",
    "\xEF\xBB\xBF", "\xC3\xA9", "'", "\"", ";", "(", ")", NULL,
};

/* With sections: what runs is what was written, in that order. */
static bool is_as_written(const struct plan *plan)
{
    for (size_t i = 0; i < plan->statement_count; i++)
        if (plan->statements[i].work.generated || plan->statements[i].work.note != NULL)
            return false;
    return true;
}

static void check_generated(const struct plan_statement *statement)
{
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(statement->sql);

    assert(!statement->work.generated || result.error == NULL);
    pg_query_free_protobuf_parse_result(result);
}

/* Nothing that was submitted gets lost on its way to a phase. */
static void check_sources(const struct plan *plan)
{
    static const char *const dropped[] = {"session", "transaction"};

    for (size_t i = 0; i < plan->operation_count && !plan_is_refused(plan); i++) {
        const struct plan_operation *operation = &plan->operations[i];
        bool found = false;

        for (size_t k = 0; k < sizeof(dropped) / sizeof(dropped[0]); k++)
            found = found || strcmp(operation->class, dropped[k]) == 0;
        for (size_t k = 0; k < plan->statement_count && !found; k++)
            found = plan->statements[k].work.source == operation->source
                    && (plan->statements[k].section != PLAN_UNDO || operation->section == PLAN_UNDO);
        assert(found);
    }
}

static void check_statements(const struct plan *plan)
{
    for (size_t i = 0; i < plan->statement_count; i++) {
        const struct plan_statement *statement = &plan->statements[i], *before = statement - 1;

        assert(plan->has_section[statement->section]);
        assert(statement->sql[0] != '\0');
        assert(statement->line >= 1 && statement->column >= 1);
        check_generated(statement);
        if (i == 0 || before->section != statement->section) {
            assert(statement->number == 1 && statement->transaction == 1);
            assert(i == 0 || before->section < statement->section);
            continue;
        }
        assert(statement->number == before->number + 1);
        assert(statement->transaction - before->transaction <= 1);
        assert(statement->work.source >= before->work.source || !is_as_written(plan));
        assert(statement->transaction != before->transaction
               || (statement->transactional && before->transactional));
    }
}

static void check_findings(const struct plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct plan_finding *finding = &plan->findings[i];

        assert(finding->message[0] != '\0' && finding->fix[0] != '\0');
        assert((finding->line == 0) == (finding->column == 0));
        assert(finding->allowed == (finding->allow_reason != NULL));
        assert(i == 0 || finding->line >= plan->findings[i - 1].line);
    }
}

static void check_codec(const struct plan *plan)
{
    struct buf once = BUF_INIT(0), twice = BUF_INIT(0);
    struct plan *copy;

    planner_encode(plan, &once);
    copy = planner_decode(buf_text(&once), once.length);
    assert(copy != NULL);
    planner_encode(copy, &twice);
    assert(once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0);
    assert(planner_decode(buf_text(&once), once.length - 1) == NULL);
    plan_free(copy);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct plan *plan = plan_read((const char *)bytes, length, NULL);

    check_statements(plan);
    check_sources(plan);
    check_findings(plan);
    check_codec(plan);
    plan_free(plan);
    plan_free(planner_decode((const char *)bytes, length));
    return 0;
}
