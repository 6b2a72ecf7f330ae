/* Telling the text into tokens with libpg_query's scanner: so a marker inside quotes, dollar quotes or a
 * block comment is none. */
#include "allocate.h"
#include "reader.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <stdlib.h>
#include <string.h>

bool reader_is_comment(const struct token *token)
{
    return token->kind == PG_QUERY__TOKEN__SQL_COMMENT || token->kind == PG_QUERY__TOKEN__C_COMMENT;
}

/* An apostrophe in a command of psql looks like a literal that is never closed. */
static bool report_psql_command(struct reader *reader, size_t offset)
{
    size_t start = text_line_start(&reader->text, offset);
    char *line;

    start += strspn(reader->text.bytes + start, " \t");
    if (reader->text.bytes[start] != '\\')
        return false;
    line = reader_quote(reader->text.bytes + start, text_line_end(&reader->text, start) - start);
    reader_report(reader, RULE_PSQL_COMMAND, start, NULL, "'%s' is a command of psql", line);
    free(line);
    return true;
}

static void report_error(struct reader *reader, const PgQueryError *error)
{
    size_t characters = error->cursorpos > 0 ? (size_t)error->cursorpos - 1 : 0;
    size_t offset = text_advance(&reader->text, 0, characters, reader->text.length);
    bool unterminated = strncmp(error->message, "unterminated", strlen("unterminated")) == 0;
    char *message;

    if (report_psql_command(reader, offset))
        return;
    message = reader_quote(error->message, strlen(error->message));
    reader_report(reader, unterminated ? RULE_UNTERMINATED : RULE_SYNTAX_ERROR, offset, NULL, "%s",
                  message);
    free(message);
}

static void take_tokens(struct reader *reader, const PgQueryProtobuf *packed)
{
    PgQuery__ScanResult *result =
        pg_query__scan_result__unpack(NULL, packed->len, (const uint8_t *)packed->data);

    if (result == NULL)
        abort();
    reader->tokens = allocate(NULL, result->n_tokens, sizeof(*reader->tokens));
    reader->token_count = result->n_tokens;
    for (size_t i = 0; i < result->n_tokens; i++)
        reader->tokens[i] = (struct token){(size_t)result->tokens[i]->start,
                                           (int)result->tokens[i]->token};
    pg_query__scan_result__free_unpacked(result, NULL);
}

bool reader_scan(struct reader *reader)
{
    PgQueryScanResult result = pg_query_scan(reader->text.bytes);
    bool fine = result.error == NULL;

    if (fine)
        take_tokens(reader, &result.pbuf);
    else
        report_error(reader, result.error);
    pg_query_free_scan_result(result);
    return fine;
}
