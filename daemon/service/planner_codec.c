/* The codec: tables name the members of each struct, and one walk in each direction serves them all. */
#include "planner_codec.h"

#include <schemagate/base/memory.h>
#include <schemagate/plan/rule.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 62 /* of an object: a bit of a number for each */
#define NUMBER_BYTES 10 /* of 64 bits, at most */
#define LIST_MAX (256 << 20) /* bytes of a list, decoded */

enum member_kind {
    MEMBER_TEXT,
    MEMBER_NEEDED, /* a text that is never NULL */
    MEMBER_INT64,
    MEMBER_UNSIGNED,
    MEMBER_ENUM,
    MEMBER_BOOL,
    MEMBER_RULE /* crosses as its place in plan_rules, from 1: ids are static texts */
};

struct member {
    size_t offset;
    enum member_kind kind;
    int64_t highest; /* of an enum, a bool, a rule */
};

#define TEXT(type, member) {offsetof(struct type, member), MEMBER_TEXT, 0}
#define NEEDED(type, member) {offsetof(struct type, member), MEMBER_NEEDED, 0}
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
    NEEDED(plan_statement, sql),
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
    NEEDED(plan_drop, table),
    TEXT(plan_drop, column),
    END,
};

static const struct member lock_members[] = {
    NEEDED(plan_relation_lock, relation),
    ENUM(plan_relation_lock, mode, PLAN_LOCKS),
    BOOL(plan_relation_lock, parents),
    END,
};

static const struct member finding_members[] = {
    {offsetof(struct plan_finding, id), MEMBER_RULE, PLAN_RULES}, /* brings `why` along */
    ENUM(plan_finding, severity, PLAN_ERROR + 1),
    UNSIGNED(plan_finding, line),
    UNSIGNED(plan_finding, column),
    TEXT(plan_finding, object),
    NEEDED(plan_finding, message),
    TEXT(plan_finding, fix),
    BOOL(plan_finding, allowed),
    TEXT(plan_finding, allow_reason),
    END,
};

static const struct member need_members[] = {
    TEXT(plan_need, schema),
    NEEDED(plan_need, name),
    END,
};

#define FITS(members) _Static_assert(sizeof(members) / sizeof((members)[0]) - 1 <= MEMBERS_MAX, #members)
FITS(plan_members);
FITS(statement_members);
FITS(drop_members);
FITS(lock_members);
FITS(finding_members);
FITS(need_members);

/* Seven bits a byte, the lowest first, and the sign in the lowest of all: most numbers are small. */
static void put_number(struct buf *out, int64_t number)
{
    uint64_t left = number < 0 ? ~((uint64_t)number << 1) : (uint64_t)number << 1;

    for (; left > 0x7f; left >>= 7)
        buf_append(out, &(char){(char)(left | 0x80)}, 1);
    buf_append(out, &(char){(char)left}, 1);
}

/* A text is its length and its bytes. */
static void put_text(struct buf *out, const char *text)
{
    size_t length = strlen(text);

    put_number(out, (int64_t)length);
    buf_append(out, text, length);
}

static inline int64_t member_number(const struct member *member, const void *at)
{
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_NEEDED:
        return *(char *const *)at != NULL;
    case MEMBER_INT64:
        return *(const int64_t *)at;
    case MEMBER_UNSIGNED:
    case MEMBER_ENUM:
        return *(const unsigned *)at;
    case MEMBER_BOOL:
        return *(const bool *)at;
    case MEMBER_RULE:
        return plan_rule_find(*(const char *const *)at) - plan_rules + 1;
    }
    abort();
}

/* Most members of most objects are 0 or NULL: a number whose bits say which are not, and only these. */
static void put_members(struct buf *out, const void *object, const struct member *members)
{
    int64_t numbers[MEMBERS_MAX], there = 0;
    unsigned i;

    for (i = 0; members[i].highest >= 0; i++) {
        numbers[i] = member_number(&members[i], (const char *)object + members[i].offset);
        there |= (int64_t)(numbers[i] != 0) << i;
    }
    put_number(out, there);
    for (i = 0; there != 0; there >>= 1, i++)
        if ((there & 1) == 0)
            continue;
        else if (members[i].kind == MEMBER_TEXT || members[i].kind == MEMBER_NEEDED)
            put_text(out, *(char *const *)((const char *)object + members[i].offset));
        else
            put_number(out, numbers[i]);
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

/* What is left of the bytes. Once they were found to be none of ours nothing more is taken of them: each
 * number is the lowest that it may be, each text NULL. */
struct source {
    const char *at;
    size_t left;
    bool broken;
};

static int64_t take_number(struct source *in, int64_t lowest, int64_t highest)
{
    uint64_t taken = 0;
    unsigned char byte = 0x80;

    for (unsigned i = 0; byte & 0x80; i++) {
        if (in->broken || in->left == 0 || i >= NUMBER_BYTES) {
            in->broken = true;
            return lowest;
        }
        byte = (unsigned char)*in->at++;
        in->left--;
        taken |= (uint64_t)(byte & 0x7f) << 7 * i;
    }

    int64_t number = (int64_t)(taken & 1 ? ~(taken >> 1) : taken >> 1);

    in->broken = number < lowest || number > highest;
    return in->broken ? lowest : number;
}

static char *take_text(struct source *in)
{
    size_t length = (size_t)take_number(in, 0, INT64_MAX);

    in->broken = in->broken || length > in->left;
    if (in->broken)
        return NULL;

    char *text = memory_copy_n(in->at, length);

    in->at += length;
    in->left -= length;
    return text;
}

static void take_member(struct source *in, void *at, const struct member *member)
{
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_NEEDED:
        *(char **)at = take_text(in);
        break;
    case MEMBER_INT64:
        *(int64_t *)at = take_number(in, INT64_MIN, INT64_MAX);
        break;
    case MEMBER_UNSIGNED:
    case MEMBER_ENUM:
        *(unsigned *)at = (unsigned)take_number(in, 0, member->highest);
        break;
    case MEMBER_BOOL:
        *(bool *)at = take_number(in, 0, 1) == 1;
        break;
    case MEMBER_RULE:
        *(const char **)at = plan_rules[take_number(in, 1, PLAN_RULES) - 1].id;
        break;
    }
}

/* Into an object whose members are 0 and NULL. */
static void take_members(struct source *in, void *object, const struct member *members)
{
    int64_t there = take_number(in, 0, INT64_MAX);

    for (; members->highest >= 0; there >>= 1, members++)
        if (there & 1)
            take_member(in, (char *)object + members->offset, members);
        else if (members->kind == MEMBER_NEEDED || members->kind == MEMBER_RULE)
            in->broken = true;
    in->broken = in->broken || there != 0;
}

/* Room for a list whose count follows, but for no more than can follow: whatever is in it takes at least a
 * byte. NULL: nothing is in it. */
static void *take_list(struct source *in, size_t size, size_t *count)
{
    size_t most = in->left < LIST_MAX / size ? in->left : LIST_MAX / size;

    *count = (size_t)take_number(in, 0, (int64_t)most);
    return *count > 0 ? memory_new(*count * size) : NULL;
}

static struct plan_drop *take_drops(struct source *in, size_t *count)
{
    struct plan_drop *drops = take_list(in, sizeof(*drops), count);

    for (size_t i = 0; i < *count; i++)
        take_members(in, &drops[i], drop_members);
    return drops;
}

static void take_statement(struct source *in, struct plan_statement *statement)
{
    struct plan_work *work = &statement->work;

    take_members(in, statement, statement_members);
    work->locks = take_list(in, sizeof(*work->locks), &work->lock_count);
    for (size_t i = 0; i < work->lock_count; i++)
        take_members(in, &work->locks[i], lock_members);
    work->drops = take_drops(in, &work->drop_count);
}

static void take_finding(struct source *in, struct plan_finding *finding)
{
    take_members(in, finding, finding_members);
    if (!in->broken)
        finding->why = plan_rule_find(finding->id)->why;
}

struct plan *planner_decode(const char *bytes, size_t length)
{
    struct source in = {bytes, length, false};
    struct plan *plan = memory_new(sizeof(*plan));

    take_members(&in, plan, plan_members);
    plan->statements = take_list(&in, sizeof(*plan->statements), &plan->statement_count);
    for (size_t i = 0; i < plan->statement_count; i++)
        take_statement(&in, &plan->statements[i]);
    plan->findings = take_list(&in, sizeof(*plan->findings), &plan->finding_count);
    for (size_t i = 0; i < plan->finding_count; i++)
        take_finding(&in, &plan->findings[i]);
    plan->needs = take_list(&in, sizeof(*plan->needs), &plan->need_count);
    for (size_t i = 0; i < plan->need_count; i++)
        take_members(&in, &plan->needs[i], need_members);
    if (!in.broken && in.left == 0)
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

bool planner_decode_question(const char *bytes, size_t length, struct plan_question *question)
{
    struct source in = {bytes, length, false};
    char **texts;

    question->drops = take_drops(&in, &question->drop_count);
    texts = take_list(&in, sizeof(*texts), &question->text_count);
    question->texts = (const char *const *)texts;
    for (size_t i = 0; i < question->text_count; i++)
        texts[i] = take_text(&in);
    if (!in.broken && in.left == 0)
        return true;
    planner_release_question(question);
    return false;
}

void planner_release_question(struct plan_question *question)
{
    struct plan_drop *drops = (struct plan_drop *)question->drops;
    char **texts = (char **)question->texts;

    for (size_t i = 0; i < question->drop_count; i++) {
        free(drops[i].schema);
        free(drops[i].table);
        free(drops[i].column);
    }
    for (size_t i = 0; i < question->text_count; i++)
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
    struct source in = {bytes, length, false};
    struct plan_used *uses = memory_new((count + 1) * sizeof(*uses));

    for (size_t i = 0; i < count; i++) {
        uses[i].use = (enum plan_use)take_number(&in, 0, PLAN_USES - 1);
        uses[i].drop = (size_t)take_number(&in, 0, (int64_t)drop_count - 1);
    }
    if (!in.broken && in.left == 0)
        return uses;
    free(uses);
    return NULL;
}
