/* The pieces are cut out of the text by its tokens, so that everything else stays as it was written. */
#include "batch.h"

#include "allocate.h"
#include "batch_meaning.h"
#include "text_array.h"

#include <pg_query.h>

#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

struct cutter {
    const char *sql;
    size_t length;
    PgQuery__ScanResult *tokens;
};

static bool open_tokens(struct cutter *cutter, const char *sql)
{
    PgQueryScanResult result = pg_query_scan(sql);

    *cutter = (struct cutter){.sql = sql, .length = strlen(sql)};
    if (result.error == NULL)
        cutter->tokens = pg_query__scan_result__unpack(NULL, result.pbuf.len,
                                                       (const uint8_t *)result.pbuf.data);
    pg_query_free_scan_result(result);
    return cutter->tokens != NULL;
}

static bool is_comment(const PgQuery__ScanToken *token)
{
    return token->token == PG_QUERY__TOKEN__SQL_COMMENT || token->token == PG_QUERY__TOKEN__C_COMMENT;
}

#define NOWHERE ((size_t)-1)

/* The first token of a kind from the place `from` on that stands outside of parentheses. A FROM that ends
 * IS DISTINCT FROM is none. */
static size_t find_token(const struct cutter *cutter, size_t from, PgQuery__Token kind)
{
    PgQuery__Token before = PG_QUERY__TOKEN__NUL;
    unsigned depth = 0;

    for (size_t i = 0; i < cutter->tokens->n_tokens; i++) {
        const PgQuery__ScanToken *token = cutter->tokens->tokens[i];

        if (is_comment(token))
            continue;
        if (token->token == PG_QUERY__TOKEN__ASCII_40)
            depth++;
        if (token->token == PG_QUERY__TOKEN__ASCII_41 && depth > 0)
            depth--;
        bool ends_distinct = kind == PG_QUERY__TOKEN__FROM && before == PG_QUERY__TOKEN__DISTINCT;

        if (i >= from && depth == 0 && token->token == kind && !ends_distinct)
            return i;
        before = token->token;
    }
    return NOWHERE;
}

/* Where the token begins; the end of the text for NOWHERE. */
static size_t start_of(const struct cutter *cutter, size_t token)
{
    return token == NOWHERE ? cutter->length : (size_t)cutter->tokens->tokens[token]->start;
}

/* The first thing behind the token that is no comment. */
static size_t start_behind(const struct cutter *cutter, size_t token)
{
    for (size_t i = token + 1; i < cutter->tokens->n_tokens; i++)
        if (!is_comment(cutter->tokens->tokens[i]))
            return start_of(cutter, i);
    return cutter->length;
}

static size_t earlier_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- places ---- */

/* Where the pieces begin, as offsets into the text. */
struct places {
    size_t table;     /* how the table is named: head ends before it */
    size_t behind;    /* what follows that */
    size_t condition; /* behind WHERE; NOWHERE: there is none */
    size_t where;     /* WHERE itself, or where it would stand */
    size_t tail;
};

static void find_condition(const struct cutter *cutter, size_t from, struct places *places)
{
    size_t where = find_token(cutter, from, PG_QUERY__TOKEN__WHERE);

    places->where = earlier_of(start_of(cutter, where), places->tail);
    places->condition = NOWHERE;
    if (where != NOWHERE && start_of(cutter, where) < places->tail)
        places->condition = places->where + strlen("WHERE");
}

/* UPDATE table SET … [WHERE …] */
static bool place_update(const struct cutter *cutter, struct places *places)
{
    size_t update = find_token(cutter, 0, PG_QUERY__TOKEN__UPDATE);
    size_t set = find_token(cutter, 0, PG_QUERY__TOKEN__SET);

    if (update == NOWHERE || set == NOWHERE)
        return false;
    places->table = start_behind(cutter, update);
    places->behind = start_of(cutter, set);
    places->tail = cutter->length;
    find_condition(cutter, set, places);
    return true;
}

/* … FROM table [WHERE …] [ON CONFLICT …]: both DELETE and INSERT … SELECT. */
static bool place_from(const struct cutter *cutter, struct places *places)
{
    size_t from = find_token(cutter, 0, PG_QUERY__TOKEN__FROM);

    if (from == NOWHERE)
        return false;
    places->table = start_behind(cutter, from);
    places->tail = start_of(cutter, find_token(cutter, from, PG_QUERY__TOKEN__ON));
    find_condition(cutter, from, places);
    places->behind = places->where;
    return true;
}

/* ---- pieces ---- */

/* An identifier in quotes, behind `before`. */
static char *add_quoted(char *before, const char *separator, const char *name)
{
    size_t length = strlen(before) + strlen(separator), size = length + 2 * strlen(name) + 3;
    char *text = allocate(NULL, size, 1);

    strcpy(text, before);
    strcat(text, separator);
    text[length++] = '"';
    for (; *name != '\0'; name++) {
        if (*name == '"')
            text[length++] = '"';
        text[length++] = *name;
    }
    text[length++] = '"';
    text[length] = '\0';
    free(before);
    return text;
}

static char *quote_table(const PgQuery__RangeVar *relation)
{
    char *text = allocate_text("%s", "");

    if (*relation->schemaname != '\0') {
        text = add_quoted(text, "", relation->schemaname);
        return add_quoted(text, ".", relation->relname);
    }
    return add_quoted(text, "", relation->relname);
}

static char *write_assigned(const PgQuery__UpdateStmt *update)
{
    char *names = NULL;

    for (size_t i = 0; update != NULL && i < update->n_target_list; i++)
        names = text_array_add(names, update->target_list[i]->res_target->name);
    return text_array_end(names);
}

/* Line feeds, because a comment may stand at the end of what is before them. */
static char *write_body(const struct cutter *cutter, const struct places *places)
{
    int before = (int)(places->where - places->behind);

    if (places->condition == NOWHERE)
        return allocate_text(" %.*s\nWHERE ", before, cutter->sql + places->behind);
    return allocate_text(" %.*sWHERE (%.*s\n) AND ", before, cutter->sql + places->behind,
                         (int)(places->tail - places->condition), cutter->sql + places->condition);
}

static char *write_condition(const struct cutter *cutter, const struct places *places)
{
    if (places->condition == NOWHERE)
        return allocate_text("true");
    return allocate_copy(cutter->sql + places->condition, places->tail - places->condition);
}

static void take_pieces(const struct cutter *cutter, const struct places *places,
                        const struct batch_meaning *meaning, struct plan_batch *batch)
{
    *batch = (struct plan_batch){
        .relation = quote_table(meaning->relation),
        .alias = add_quoted(allocate_text("%s", ""), "", batch_meaning_alias(meaning)),
        .head = allocate_copy(cutter->sql, places->table),
        .body = write_body(cutter, places),
        .tail = allocate_text("%s%s", places->tail < cutter->length ? " " : "",
                              cutter->sql + places->tail),
        .condition = write_condition(cutter, places),
        .into = meaning->insert != NULL ? quote_table(meaning->written) : NULL,
        .assigned = write_assigned(meaning->update),
        .repeats = batch_meaning_repeats(meaning),
        .only = !meaning->relation->inh,
        .one_table = batch_meaning_takes_rows(meaning),
    };
    batch_meaning_calls(meaning, &batch->calls, &batch->wide_calls);
    if (meaning->insert != NULL && batch->repeats)
        batch_meaning_conflict(meaning, &batch->conflict, &batch->taken);
}

struct batch_verdict batch_cut(const char *sql, const PgQuery__Node *node, struct plan_batch *batch)
{
    struct batch_meaning meaning;
    struct places places;
    struct cutter cutter;
    struct batch_verdict verdict = {.applies = batch_meaning_read(node, &meaning)};

    if (!verdict.applies)
        return verdict;
    verdict.why = batch_meaning_forbids(&meaning);
    if (verdict.why != NULL)
        return verdict;
    if (!open_tokens(&cutter, sql)) {
        verdict.why = "its text cannot be taken apart";
        return verdict;
    }
    if (meaning.update != NULL ? place_update(&cutter, &places) : place_from(&cutter, &places)) {
        take_pieces(&cutter, &places, &meaning, batch);
        verdict.clock = batch_meaning_clock(&meaning);
    } else {
        verdict.why = "its query stands in parentheses";
    }
    pg_query__scan_result__free_unpacked(cutter.tokens, NULL);
    return verdict;
}
