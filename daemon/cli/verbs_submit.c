/* `submit`: sends migration files in version order, and waits where it is asked to. */
#include "verbs.h"

#include "follow.h"
#include "migration_files.h"
#include "output.h"
#include "text.h"

#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct submit {
    struct connection connection;
    const char *wait, *as;
    int64_t timeout_ms;
    bool json;
};

const struct cli_option verb_submit_options[] = {
    {"wait", 'w', OPTION_CHOICE, "expanded|hidden|complete", "wait until all have got there",
     offsetof(struct submit, wait), NULL},
    {"timeout", 't', OPTION_SECONDS, "S", "how long to wait (default: until it is done)",
     offsetof(struct submit, timeout_ms), NULL},
    {"as", 'a', OPTION_TEXT, "VERSION_NAME.sql", "what standard input is: `submit - --as 42_split_name.sql`",
     offsetof(struct submit, as), NULL},
    {"json", 0, OPTION_FLAG, NULL, "print the server's JSON, a line for each migration",
     offsetof(struct submit, json), NULL},
    OPTION_END};

static int complain_file(const struct buf *errors)
{
    fprintf(stderr,
            "schemagate submit: nothing more is sent:\n%s  next: correct what is named above and "
            "submit again\n",
            buf_text(errors));
    return CLI_USAGE;
}

/* The request's body, or NULL with a line in errors. */
static json_t *file_body(const struct migration_file *file, struct buf *errors)
{
    size_t length = 0;
    char *sql = migration_file_read(file->path, &length, errors);
    if (!sql)
        return NULL;
    json_t *text = json_stringn(sql, length);
    free(sql);
    if (!text) {
        buf_printf(errors, "%s: is not UTF-8 text\n", file->path);
        return NULL;
    }
    return json_pack("{s:I, s:s, s:o}", "version", (json_int_t)file->version, "name", file->name,
                     "sql", text);
}

static void print_submitted(const struct submit *options, const struct migration_file *file,
                            const struct reply *reply)
{
    if (options->json && !options->wait) {
        output_json(reply->body);
        return;
    }
    if (options->json)
        return;
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "%" PRId64 " ", file->version);
    text_clean(&line, file->name);
    buf_puts(&line, reply->status == 201 ? ": submitted" : ": already there, ");
    if (reply->status != 201)
        text_clean(&line, *reply_text(reply, "phase") ? reply_text(reply, "phase") : "baselined");
    puts(buf_text(&line));
    fflush(stdout);
    buf_free(&line);
}

static int send_file(struct client *client, const struct submit *options,
                     const struct migration_file *file)
{
    struct buf errors = BUF_INIT(0);
    json_t *body = file_body(file, &errors);
    if (!body) {
        int code = complain_file(&errors);
        buf_free(&errors);
        return code;
    }
    struct reply reply;
    int code = client_call(client, "POST", "/v1/migrations", body, file->path, &reply);
    if (code == CLI_DONE)
        print_submitted(options, file, &reply);
    reply_free(&reply);
    return code;
}

static int send_all(struct client *client, const struct submit *options,
                    const struct migration_files *files)
{
    for (size_t n = 0; n < files->count; n++) {
        int code = send_file(client, options, &files->items[n]);
        if (code != CLI_DONE) {
            fprintf(stderr, "schemagate: %zu of %zu migrations were sent\n", n, files->count);
            return code;
        }
    }
    return CLI_DONE;
}

/* Each in its turn: where one fails, those behind it would wait for ever. */
static int wait_for_all(struct client *client, const struct submit *options,
                        const struct migration_files *files)
{
    struct follow follow = {client, options->wait, options->timeout_ms, options->json, 0};
    follow_start(&follow);
    for (size_t n = 0; n < files->count; n++) {
        json_t *last;
        int code = follow_migration(&follow, files->items[n].version, &last);
        if (options->json && last)
            output_json(last);
        json_decref(last);
        if (code != CLI_DONE)
            return code;
        if (!options->json)
            printf("%" PRId64 " %s: %s\n", files->items[n].version, files->items[n].name,
                   options->wait);
        fflush(stdout);
    }
    return CLI_DONE;
}

/* Standard input has no name of its own. */
static void collect(struct migration_files *files, const struct submit *options, const struct arguments *rest,
                    struct buf *errors)
{
    bool standard_input = rest->count == 1 && strcmp(rest->items[0], "-") == 0;

    if (standard_input && options->as)
        migration_files_name(files, "-", options->as, errors);
    else if (standard_input || options->as)
        buf_puts(errors, "`-` is standard input, and --as VERSION_NAME.sql says what it is: give both\n");
    else
        migration_files_collect(files, rest->items, (size_t)rest->count, errors);
}

int verb_submit(int argc, char **argv)
{
    struct submit options = {0};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_submit_options,
                             &(struct argument_rules){1, -1, false}, &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct migration_files files = {0};
    struct buf errors = BUF_INIT(0);
    collect(&files, &options, &rest, &errors);
    struct client *client = files.count ? client_open(&options.connection) : NULL;
    if (!files.count) {
        code = complain_file(&errors);
    } else if (!client) {
        code = CLI_USAGE;
    } else {
        code = send_all(client, &options, &files);
        if (options.wait && code == CLI_DONE) {
            client_catch_interrupts(client);
            code = wait_for_all(client, &options, &files);
        }
    }
    client_close(client);
    migration_files_free(&files);
    buf_free(&errors);
    return code;
}
