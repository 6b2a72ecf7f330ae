/* The codec: tables name the members of each struct, and one walk in each direction serves them all. */
#include "planner_codec.h"

#include <schemagate/base/memory.h>
#include <schemagate/plan/rule.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 10 /* of 64 bits, at most */

enum member_kind {
    MEMBER_TEXT,
    MEMBER_INT64,
    MEMBER_UNSIGNED,
    MEMBER_ENUM,
    MEMBER_BOOL,
    MEMBER_RULE /* crosses as its place in plan_rules: ids are static texts */
};

struct member {
    size_t offset;
    enum member_kind kind;
    int64_t highest; /* of an enum, a bool, a rule */
};

#define TEXT(type, member) {offsetof(struct type, member), MEMBER_TEXT, 0}
#define INT64(type, member) {offsetof(struct type, member), MEMBER_INT64, 0}
#define UNSIGNED(type, member) {offsetof(struct type, member), MEMBER_UNSIGNED, UINT_MAX}
#define BOOL(type, member) {offsetof(struct type, member), MEMBER_BOOL, 1}
#define ENUM(type, member, count) {offsetof(struct type, member), MEMBER_ENUM, (count) - 1}
#define END {0, MEMBER_TEXT, -1}

static const struct member plan_members[] = {
    TEXT(plan, name),
    TEXT(plan, approval),
    INT64(plan, soak_seconds),
    INT64(plan, keep_hours),
    INT64(plan, requires),
    BOOL(plan, has_section[PLAN_EXPAND]),
    BOOL(plan, has_section[PLAN_BACKFILL]),
    BOOL(plan, has_section[PLAN_CONTRACT]),
    BOOL(plan, has_section[PLAN_UNDO]),
    TEXT(plan, checksum),
    TEXT(plan, plan_checksum),
    END,
};

static const struct member statement_members[] = {
    ENUM(plan_statement, section, PLAN_SECTIONS),
    UNSIGNED(plan_statement, number),
    UNSIGNED(plan_statement, transaction),
    BOOL(plan_statement, transactional),
    UNSIGNED(plan_statement, line),
    UNSIGNED(plan_statement, column),
    TEXT(plan_statement, sql),
    ENUM(plan_statement, work.kind, WORK_KINDS),
    TEXT(plan_statement, work.object),
    TEXT(plan_statement, work.shape),
    TEXT(plan_statement, work.batch.relation),
    TEXT(plan_statement, work.batch.alias),
    TEXT(plan_statement, work.batch.head),
    TEXT(plan_statement, work.batch.body),
    TEXT(plan_statement, work.batch.tail),
    TEXT(plan_statement, work.batch.condition),
    TEXT(plan_statement, work.batch.into),
    TEXT(plan_statement, work.batch.conflict),
    TEXT(plan_statement, work.batch.taken),
    TEXT(plan_statement, work.batch.assigned),
    TEXT(plan_statement, work.batch.calls),
    TEXT(plan_statement, work.batch.wide_calls),
    BOOL(plan_statement, work.batch.repeats),
    BOOL(plan_statement, work.batch.only),
    BOOL(plan_statement, work.batch.one_table),
    UNSIGNED(plan_statement, work.source),
    BOOL(plan_statement, work.generated),
    TEXT(plan_statement, work.note),
    ENUM(plan_statement, work.cost.effort, PLAN_EFFORTS),
    TEXT(plan_statement, work.cost.table),
    INT64(plan_statement, work.cost.rows),
    INT64(plan_statement, work.cost.bytes),
    BOOL(plan_statement, work.only_drops),
    END,
};

static const struct member drop_members[] = {
    TEXT(plan_drop, schema),
    TEXT(plan_drop, table),
    TEXT(plan_drop, column),
    END,
};

static const struct member lock_members[] = {
    TEXT(plan_relation_lock, relation),
    ENUM(plan_relation_lock, mode, PLAN_LOCKS),
    BOOL(plan_relation_lock, parents),
    END,
};

static const struct member finding_members[] = {
    {offsetof(struct plan_finding, id), MEMBER_RULE, PLAN_RULES - 1}, /* brings `why` along */
    ENUM(plan_finding, severity, PLAN_ERROR + 1),
    UNSIGNED(plan_finding, line),
    UNSIGNED(plan_finding, column),
    TEXT(plan_finding, object),
    TEXT(plan_finding, message),
    TEXT(plan_finding, fix),
    BOOL(plan_finding, allowed),
    TEXT(plan_finding, allow_reason),
    END,
};

static const struct member need_members[] = {
    TEXT(plan_need, schema),
    TEXT(plan_need, name),
    END,
};

/* Seven bits a byte, the lowest first, and the sign in the lowest of all: most numbers of a plan are small,
 * and an answer that fits into the socket's buffer is given without waiting for the reader. */
static void put_number(struct buf *out, int64_t number)
{
    uint64_t left = number < 0 ? ~((uint64_t)number << 1) : (uint64_t)number << 1;
    unsigned char bytes[NUMBER_BYTES];
    size_t count = 0;

    for (; left > 0x7f; left >>= 7)
        bytes[count++] = (unsigned char)(left | 0x80);
    bytes[count++] = (unsigned char)left;
    buf_append(out, bytes, count);
}

/* A text is its length and its bytes; none has the length -1. */
static void put_text(struct buf *out, const char *text)
{
    put_number(out, text == NULL ? -1 : (int64_t)strlen(text));
    if (text != NULL)
        buf_append(out, text, strlen(text));
}

static void put_members(struct buf *out, const void *object, const struct member *members)
{
    for (; members->highest >= 0; members++) {
        const void *at = (const char *)object + members->offset;

        switch (members->kind) {
        case MEMBER_TEXT:
            put_text(out, *(char *const *)at);
            break;
        case MEMBER_INT64:
            put_number(out, *(const int64_t *)at);
            break;
        case MEMBER_UNSIGNED:
        case MEMBER_ENUM:
            put_number(out, *(const unsigned *)at);
            break;
        case MEMBER_BOOL:
            put_number(out, *(const bool *)at);
            break;
        case MEMBER_RULE:
            put_number(out, plan_rule_find(*(const char *const *)at) - plan_rules);
            break;
        }
    }
}

static void put_statement(struct buf *out, const struct plan_statement *statement)
{
    put_members(out, statement, statement_members);
    put_number(out, (int64_t)statement->work.lock_count);
    for (size_t i = 0; i < statement->work.lock_count; i++)
        put_members(out, &statement->work.locks[i], lock_members);
    put_number(out, (int64_t)statement->work.drop_count);
    for (size_t i = 0; i < statement->work.drop_count; i++)
        put_members(out, &statement->work.drops[i], drop_members);
}

void planner_encode(const struct plan *plan, struct buf *out)
{
    put_members(out, plan, plan_members);
    put_number(out, (int64_t)plan->statement_count);
    for (size_t i = 0; i < plan->statement_count; i++)
        put_statement(out, &plan->statements[i]);
    put_number(out, (int64_t)plan->finding_count);
    for (size_t i = 0; i < plan->finding_count; i++)
        put_members(out, &plan->findings[i], finding_members);
    put_number(out, (int64_t)plan->need_count);
    for (size_t i = 0; i < plan->need_count; i++)
        put_members(out, &plan->needs[i], need_members);
}

struct source {
    const char *at;
    size_t left;
};

static bool take_number(struct source *in, int64_t lowest, int64_t highest, int64_t *number)
{
    uint64_t taken = 0;
    unsigned char byte = 0x80;

    for (unsigned i = 0; byte & 0x80; i++) {
        if (in->left == 0 || i >= NUMBER_BYTES)
            return false;
        byte = (unsigned char)*in->at++;
        in->left--;
        taken |= (uint64_t)(byte & 0x7f) << 7 * i;
    }
    *number = (int64_t)(taken & 1 ? ~(taken >> 1) : taken >> 1);
    return *number >= lowest && *number <= highest;
}

static bool take_text(struct source *in, char **text)
{
    int64_t length;

    if (!take_number(in, -1, INT64_MAX, &length) || length > (int64_t)in->left)
        return false;
    if (length >= 0) {
        *text = memory_copy_n(in->at, (size_t)length);
        in->at += length;
        in->left -= (size_t)length;
    }
    return true;
}

static bool take_members(struct source *in, void *object, const struct member *members)
{
    for (; members->highest >= 0; members++) {
        void *at = (char *)object + members->offset;
        int64_t number;

        if (members->kind == MEMBER_TEXT) {
            if (!take_text(in, at))
                return false;
            continue;
        }
        if (members->kind == MEMBER_INT64) {
            if (!take_number(in, INT64_MIN, INT64_MAX, at))
                return false;
            continue;
        }
        if (!take_number(in, 0, members->highest, &number))
            return false;
        if (members->kind == MEMBER_BOOL)
            *(bool *)at = number == 1;
        else if (members->kind == MEMBER_RULE)
            *(const char **)at = plan_rules[number].id;
        else
            *(unsigned *)at = (unsigned)number;
    }
    return true;
}

static size_t least_bytes(const struct member *members)
{
    size_t count = 0;

    while (members[count].highest >= 0)
        count++;
    return count;
}

/* Reads the count of a list and makes room for it, for no more than can follow: each of what has `members`
 * takes at least a byte for each of them (NULL: one byte). */
static void *take_list(struct source *in, size_t size, const struct member *members, size_t *count)
{
    int64_t number, most = (int64_t)(in->left / (members == NULL ? 1 : least_bytes(members)));

    if (!take_number(in, 0, most, &number))
        return NULL;
    *count = (size_t)number;
    return memory_new(number == 0 ? size : (size_t)number * size);
}

static bool take_statement(struct source *in, struct plan_statement *statement)
{
    struct plan_work *work = &statement->work;

    if (!take_members(in, statement, statement_members))
        return false;
    work->locks = take_list(in, sizeof(*work->locks), lock_members, &work->lock_count);
    if (work->locks == NULL)
        return false;
    for (size_t i = 0; i < work->lock_count; i++)
        if (!take_members(in, &work->locks[i], lock_members))
            return false;
    work->drops = take_list(in, sizeof(*work->drops), drop_members, &work->drop_count);
    if (work->drops == NULL)
        return false;
    for (size_t i = 0; i < work->drop_count; i++)
        if (!take_members(in, &work->drops[i], drop_members))
            return false;
    return true;
}

static bool take_plan(struct source *in, struct plan *plan)
{
    if (!take_members(in, plan, plan_members))
        return false;
    plan->statements = take_list(in, sizeof(*plan->statements), statement_members, &plan->statement_count);
    if (plan->statements == NULL)
        return false;
    for (size_t i = 0; i < plan->statement_count; i++)
        if (!take_statement(in, &plan->statements[i]))
            return false;
    plan->findings = take_list(in, sizeof(*plan->findings), finding_members, &plan->finding_count);
    if (plan->findings == NULL)
        return false;
    for (size_t i = 0; i < plan->finding_count; i++) {
        if (!take_members(in, &plan->findings[i], finding_members))
            return false;
        plan->findings[i].why = plan_rule_find(plan->findings[i].id)->why;
    }
    plan->needs = take_list(in, sizeof(*plan->needs), need_members, &plan->need_count);
    if (plan->needs == NULL)
        return false;
    for (size_t i = 0; i < plan->need_count; i++)
        if (!take_members(in, &plan->needs[i], need_members))
            return false;
    return in->left == 0;
}

struct plan *planner_decode(const char *bytes, size_t length)
{
    struct source in = {bytes, length};
    struct plan *plan = memory_new(sizeof(*plan));

    if (take_plan(&in, plan))
        return plan;
    plan_free(plan);
    return NULL;
}

/* ---- questions about uses ---- */

void planner_encode_question(const struct plan_question *question, struct buf *out)
{
    put_number(out, (int64_t)question->drop_count);
    for (size_t i = 0; i < question->drop_count; i++)
        put_members(out, &question->drops[i], drop_members);
    put_number(out, (int64_t)question->text_count);
    for (size_t i = 0; i < question->text_count; i++)
        put_text(out, question->texts[i]);
}

static bool take_question(struct source *in, struct plan_drop **drops, size_t *drop_count, char ***texts,
                          size_t *text_count)
{
    *drops = take_list(in, sizeof(**drops), drop_members, drop_count);
    for (size_t i = 0; *drops != NULL && i < *drop_count; i++)
        if (!take_members(in, &(*drops)[i], drop_members) || (*drops)[i].table == NULL)
            return false;
    *texts = *drops == NULL ? NULL : take_list(in, sizeof(**texts), NULL, text_count);
    for (size_t i = 0; *texts != NULL && i < *text_count; i++)
        if (!take_text(in, &(*texts)[i]) || (*texts)[i] == NULL)
            return false;
    return *texts != NULL && in->left == 0;
}

bool planner_decode_question(const char *bytes, size_t length, struct plan_question *question)
{
    struct source in = {bytes, length};
    struct plan_drop *drops = NULL;
    char **texts = NULL;

    *question = (struct plan_question){0};
    bool taken = take_question(&in, &drops, &question->drop_count, &texts, &question->text_count);

    question->drops = drops;
    question->texts = (const char *const *)texts;
    if (taken)
        return true;
    planner_release_question(question);
    return false;
}

void planner_release_question(struct plan_question *question)
{
    struct plan_drop *drops = (struct plan_drop *)question->drops;
    char **texts = (char **)question->texts;

    for (size_t i = 0; drops != NULL && i < question->drop_count; i++) {
        free(drops[i].schema);
        free(drops[i].table);
        free(drops[i].column);
    }
    for (size_t i = 0; texts != NULL && i < question->text_count; i++)
        free(texts[i]);
    free(drops);
    free(texts);
}

void planner_encode_uses(const struct plan_used *uses, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        put_number(out, uses[i].use);
        put_number(out, (int64_t)uses[i].drop);
    }
}

struct plan_used *planner_decode_uses(const char *bytes, size_t length, size_t count, size_t drop_count)
{
    struct source in = {bytes, length};
    struct plan_used *uses = memory_new((count + 1) * sizeof(*uses));

    for (size_t i = 0; i < count; i++) {
        int64_t use, drop;

        if (!take_number(&in, 0, PLAN_USES - 1, &use)
            || !take_number(&in, 0, (int64_t)drop_count - 1, &drop)) {
            free(uses);
            return NULL;
        }
        uses[i] = (struct plan_used){(enum plan_use)use, (size_t)drop};
    }
    if (in.left == 0)
        return uses;
    free(uses);
    return NULL;
}
