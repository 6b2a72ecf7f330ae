/* Opens connections in a thread of their own: libpq resolves names and tries several hosts
 * blocking. */
#include "connect.h"

#include "offload.h"

#include <schemagate/base/memory.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TROUBLE_BYTES 2048
#define PASSWORD_BYTES 1024

struct connect_job {
    char *setting, *conninfo, *password_file;
    bool standby;
    const char *application_name; /* static */
    connect_done *done;
    void *context;
    PGconn *connection;
    struct buf trouble;
};

static void connect_job_free(struct connect_job *job)
{
    free(job->setting);
    free(job->conninfo);
    free(job->password_file);
    buf_free(&job->trouble);
    free(job);
}

/* ---- what to say when it fails ---- */

/* What the server or libpq says, and what helps. %1$s role, %2$s database. */
static const struct remedy {
    const char *fragment;
    const char *format;
} remedies[] = {
    {"database \"", "create it: createdb --owner=\"%1$s\" \"%2$s\""},
    {"role \"", "create it: createuser \"%1$s\", or name another role in database.conninfo"},
    {"password", "name a file with the password in database.password_file, or see ~/.pgpass"},
    {"no pg_hba.conf entry", "let role \"%1$s\" in: pg_hba.conf, then SELECT pg_reload_conf()"},
    {"Connection refused", "is the server running? pg_isready"},
    {"No such file or directory", "is the server running? pg_isready"},
};

void connect_append_line(struct buf *text, const char *message)
{
    size_t length = strlen(message);

    while (length > 0 && message[length - 1] == '\n')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (message[i] == '\n')
            buf_puts(text, "; ");
        else
            buf_append(text, message[i] == '\t' ? " " : message + i, 1);
    }
}

static const char *text_or(const char *text, const char *other)
{
    return text != NULL && text[0] != '\0' ? text : other;
}

static bool is_socket_folder(const char *host)
{
    return host[0] == '/' || host[0] == '@';
}

void connect_describe(const PGconn *connection, struct buf *text)
{
    const char *host = text_or(PQhost(connection), "localhost");

    buf_printf(text, "role \"%s\" at %s%s%s, database \"%s\"", text_or(PQuser(connection), "?"),
               host, is_socket_folder(host) ? " port " : ":", text_or(PQport(connection), "5432"),
               text_or(PQdb(connection), "?"));
}

static void connect_explain(const PGconn *connection, struct buf *trouble)
{
    const char *message = PQerrorMessage(connection);
    const char *role = text_or(PQuser(connection), "?");
    const char *database = text_or(PQdb(connection), "?");

    buf_puts(trouble, "cannot connect to PostgreSQL as ");
    connect_describe(connection, trouble);
    buf_puts(trouble, ": ");
    connect_append_line(trouble, message);
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (strstr(message, remedies[i].fragment) != NULL) {
            char text[512];

            snprintf(text, sizeof text, remedies[i].format, role, database);
            buf_printf(trouble, "; %s", text);
            break;
        }
    }
    buf_printf(trouble, "; try: psql \"host=%s port=%s user=%s dbname=%s\"",
               text_or(PQhost(connection), "localhost"), text_or(PQport(connection), "5432"), role,
               database);
}

/* ---- in the thread ---- */

/* Reads the first line; an empty file name means no password. */
static bool read_password(struct connect_job *job, char password[PASSWORD_BYTES])
{
    password[0] = '\0';
    if (job->password_file[0] == '\0')
        return true;
    FILE *file = fopen(job->password_file, "re");
    if (file == NULL || fgets(password, PASSWORD_BYTES, file) == NULL) {
        buf_printf(&job->trouble, "cannot read database.password_file %s: %s", job->password_file,
                   file == NULL ? strerror(errno) : "it is empty");
        if (file != NULL)
            fclose(file);
        return false;
    }
    fclose(file);
    password[strcspn(password, "\r\n")] = '\0';
    return true;
}

/* libpq's message would quote parts of the string, which may be a password. */
static bool check_conninfo(struct connect_job *job)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(job->conninfo, &message);

    PQfreemem(message);
    if (options == NULL) {
        buf_printf(&job->trouble,
                   "%s is neither a list of key=value pairs nor a postgresql:// URI: "
                   "quote values that contain spaces, and see "
                   "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING",
                   job->setting);
        return false;
    }
    PQconninfoFree(options);
    return true;
}

/* An environment variable of libpq's wins over our default. */
static const char *default_unless_set(const char *variable, const char *value)
{
    return getenv(variable) == NULL ? value : NULL;
}

static void connect_work(void *argument)
{
    struct connect_job *job = argument;
    char password[PASSWORD_BYTES];

    if (!check_conninfo(job) || !read_password(job, password))
        return;
    /* What stands before dbname are defaults for the connection string, what follows overrides it.
     * */
    const char *const keywords[] = {
        "connect_timeout", "target_session_attrs", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "dbname", "application_name", "client_encoding",
        password[0] != '\0' ? "password" : NULL, NULL,
    };
    const char *const values[] = {
        default_unless_set("PGCONNECT_TIMEOUT", "5"),
        job->standby ? "any" : default_unless_set("PGTARGETSESSIONATTRS", "primary"),
        "5", "2", "3", "6000", job->conninfo, job->application_name, "UTF8", password, NULL,
    };
    job->connection = PQconnectdbParams(keywords, values, 1);
    explicit_bzero(password, sizeof password);
    if (PQstatus(job->connection) != CONNECTION_OK) {
        connect_explain(job->connection, &job->trouble);
        PQfinish(job->connection);
        job->connection = NULL;
    }
}

/* ---- on the loop ---- */

static void connect_finish(void *argument)
{
    struct connect_job *job = argument;
    const char *trouble = buf_text(&job->trouble);

    job->done(job->context, job->connection,
              job->connection != NULL ? NULL : text_or(trouble, "no thread to connect with"));
    connect_job_free(job);
}

static void connect_discard(void *argument)
{
    struct connect_job *job = argument;

    PQfinish(job->connection);
    connect_job_free(job);
}

struct offload *connect_start(struct event_base *base, const struct connect_target *target,
                              const char *application_name, connect_done *done, void *context)
{
    static const struct offload_job kind = {connect_work, connect_finish, connect_discard};
    struct connect_job *job = memory_new(sizeof *job);

    job->setting = memory_copy(target->setting);
    job->conninfo = memory_copy(target->conninfo);
    job->password_file = memory_copy(target->password_file);
    job->standby = target->standby;
    job->application_name = application_name;
    job->done = done;
    job->context = context;
    job->trouble = BUF_INIT(TROUBLE_BYTES);
    return offload_start(base, &kind, job);
}
