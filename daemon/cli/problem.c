/* Answers that are not 2xx, by tables: exit code and advice. */
#include "problem.h"

#include "text.h"

#include <schemagate/cli/cli.h>

#include <string.h>

/* The first row that matches counts; slug NULL: any. */
static const struct code_row {
    long from, to;
    const char *slug;
    int code;
} code_rows[] = {
    {0, 0, NULL, CLI_UNREACHABLE},
    {200, 299, NULL, CLI_DONE},
    {409, 409, "schema-too-old", CLI_TOO_OLD},
    {422, 422, "plan-refused", CLI_REFUSED},
    {401, 401, NULL, CLI_REFUSED},
    {403, 403, NULL, CLI_REFUSED},
    {409, 409, NULL, CLI_REFUSED},
    {412, 412, NULL, CLI_REFUSED},
    {429, 429, NULL, CLI_UNREACHABLE},
    {400, 499, NULL, CLI_USAGE},
    {500, 599, NULL, CLI_UNREACHABLE},
};

/* What to type next; the first row that matches counts. */
static const struct advice_row {
    long from, to;
    const char *slug;
    const char *next;
} advice_rows[] = {
    {0, 0, NULL,
     "is it running there? start it with `schemagate daemon`, or give its address with --url"},
    {401, 401, NULL,
     "give --token-file FILE (or SCHEMAGATE_TOKEN_FILE); an operator makes tokens with "
     "`schemagate token new --role ROLE --name NAME`"},
    {403, 403, NULL,
     "use a token with the role that this needs: `schemagate token new --role ROLE --name NAME`"},
    {409, 409, "schema-too-old",
     "deploy a release that supports the schema; `schemagate status` shows the window"},
    {409, 409, "version-conflict",
     "give the changed file a new version; `schemagate status VERSION` shows what is stored"},
    {409, 409, "out-of-order",
     "give the file a version above every submitted one; see `schemagate status`"},
    {409, 409, "undo-under-way",
     "submit it again once the undo has ended: `schemagate gate VERSION` shows what it waits for"},
    {409, 409, "no-undo", "write a new migration that takes it back, and submit that"},
    {409, 409, "invalid-transition", "`schemagate status VERSION` shows what can be done now"},
    {409, 409, NULL, "`schemagate status` shows how things stand"},
    {422, 422, "plan-refused", "correct the file and submit it again"},
    {404, 404, NULL, "`schemagate status` and `schemagate replicas` list what is known"},
    {400, 499, NULL, "correct what is named above and try again"},
    {429, 429, NULL, "try again in a moment"},
    {503, 503, "not-leader",
     "give the leader's address with --url (or SCHEMAGATE_URL); where it has just ended, try again"},
    {500, 599, NULL, "try again; `schemagate status` and the daemon's log say more"},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int problem_exit_code(long status, const char *slug)
{
    for (size_t n = 0; n < COUNT(code_rows); n++) {
        const struct code_row *row = &code_rows[n];
        if (status >= row->from && status <= row->to &&
            (!row->slug || strcmp(row->slug, slug) == 0))
            return row->code;
    }
    return CLI_FAILED;
}

static const char *problem_advice(long status, const char *slug)
{
    for (size_t n = 0; n < COUNT(advice_rows); n++) {
        const struct advice_row *row = &advice_rows[n];
        if (status >= row->from && status <= row->to &&
            (!row->slug || strcmp(row->slug, slug) == 0))
            return row->next;
    }
    return "`schemagate status` shows how things stand";
}

int reply_exit_code(const struct reply *reply)
{
    return reply->token_missing ? CLI_USAGE : problem_exit_code(reply->status, reply_slug(reply));
}

bool reply_is_transient(const struct reply *reply)
{
    return !reply->token_missing && reply_exit_code(reply) == CLI_UNREACHABLE;
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void describe_errors(struct buf *out, const json_t *errors)
{
    size_t n;
    json_t *error;
    json_array_foreach(errors, n, error) {
        text_after(out, "  ", member(error, "pointer"));
        text_after(out, ": ", member(error, "detail"));
        buf_puts(out, "\n");
    }
}

static void describe_findings(struct buf *out, const json_t *findings, const char *subject)
{
    size_t n;
    json_t *finding;
    json_array_foreach(findings, n, finding) {
        long long line = json_integer_value(json_object_get(finding, "line"));
        long long column = json_integer_value(json_object_get(finding, "column"));
        text_after(out, "  ", subject ? subject : "");
        if (line > 0)
            buf_printf(out, ":%lld:%lld", line, column);
        text_after(out, ": ", member(finding, "severity"));
        text_after(out, ": ", member(finding, "message"));
        text_after(out, " [", member(finding, "id"));
        buf_puts(out, "]\n");
        if (*member(finding, "fix")) {
            text_after(out, "    fix: ", member(finding, "fix"));
            buf_puts(out, "\n");
        }
    }
}

void problem_describe(struct buf *out, const struct reply *reply, const char *subject)
{
    buf_puts(out, "schemagate: ");
    if (subject) {
        text_clean(out, subject);
        buf_puts(out, ": ");
    }
    if (reply->failure) {
        text_clean(out, reply->failure);
    } else if (reply->body && *reply_text(reply, "title")) {
        text_clean(out, reply_text(reply, "title"));
        text_after(out, *reply_text(reply, "detail") ? ": " : "", reply_text(reply, "detail"));
    } else {
        buf_printf(out, "the server answered %ld", reply->status);
    }
    buf_puts(out, "\n");
    describe_errors(out, json_object_get(reply->body, "errors"));
    describe_findings(out, json_object_get(reply->body, "findings"), subject);
    buf_printf(out, "  next: %s\n",
               reply->token_missing
                   ? "give a readable file with --token-file (or SCHEMAGATE_TOKEN_FILE)"
                   : problem_advice(reply->status, reply_slug(reply)));
}

int problem_report(const struct reply *reply, const char *subject)
{
    struct buf text = BUF_INIT(0);
    problem_describe(&text, reply, subject);
    fputs(buf_text(&text), stderr);
    buf_free(&text);
    return reply_exit_code(reply);
}
