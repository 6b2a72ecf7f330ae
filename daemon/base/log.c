/* Structured log lines on stderr (log.h). */
#include <schemagate/base/buf.h>
#include <schemagate/base/clock.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LOG_LINE_MAXIMUM 16384

struct log_line {
    enum log_level level;
    const char *message;
    const struct log_field *fields;
    size_t count;
};

typedef void log_writer(const struct log_line *line);

static log_writer log_write_auto, log_write_text, log_write_logfmt, log_write_json, log_write_journal;

static const struct {
    const char *name;
    int priority;
} log_levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARN] = {"warn", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

static log_writer *const log_writers[] = {
    [LOG_FORMAT_AUTO] = log_write_auto,
    [LOG_FORMAT_TEXT] = log_write_text,
    [LOG_FORMAT_LOGFMT] = log_write_logfmt,
    [LOG_FORMAT_JSON] = log_write_json,
};

/* The process's logger: the one exception to "no state outside main" (log.h). */
static struct {
    enum log_level level;
    log_writer *write;
} logger = {LOG_LEVEL_INFO, log_write_auto};

/* True if stderr is the stream that systemd connected to the journal: systemd.exec(5), JOURNAL_STREAM. */
static bool log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    uintmax_t device, inode;

    return stream != NULL && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_open(enum log_level level, enum log_format format)
{
    logger.level = level;
    logger.write = log_writers[format];
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if (level <= logger.level)
        logger.write(&(struct log_line){level, message, fields, count});
}

static void log_write_auto(const struct log_line *line)
{
    logger.write = log_is_journal()          ? log_write_journal
                   : isatty(STDERR_FILENO) ? log_write_text
                                             : log_write_logfmt;
    logger.write(line);
}

/* One write for the whole line: lines of several threads and processes do not mix. */
static void log_emit(struct buf *line)
{
    if (line->overflowed) {
        line->overflowed = false;
        line->maximum = 0;
        buf_puts(line, " …");
    }
    buf_puts(line, "\n");
    ssize_t ignored = write(STDERR_FILENO, line->data, line->length); /* nobody left to tell */
    (void)ignored;
    buf_free(line);
}

static bool log_needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (const char *at = text; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at) || strchr(" \"=\\", *at) != NULL)
            return true;
    return false;
}

/* Appends text so that it can neither end the line nor pretend to be another field. */
static void log_put_value(struct buf *line, const char *text)
{
    static const char escapes[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};

    if (!log_needs_quotes(text)) {
        buf_puts(line, text);
        return;
    }
    buf_puts(line, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < sizeof(escapes) && escapes[byte] != 0)
            buf_printf(line, "\\%c", escapes[byte]);
        else if (iscntrl(byte))
            buf_printf(line, "\\x%02x", byte);
        else
            buf_append(line, at, 1);
    }
    buf_puts(line, "\"");
}

static void log_put_fields(struct buf *out, const struct log_line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct log_field *field = &line->fields[i];
        if (field->key == NULL)
            continue;
        buf_printf(out, " %s=", field->key);
        if (field->text != NULL)
            log_put_value(out, field->text);
        else
            buf_printf(out, "%" PRId64, field->number);
    }
}

static void log_write_text(const struct log_line *line)
{
    struct buf out = BUF_INIT(LOG_LINE_MAXIMUM);
    char now[CLOCK_RFC3339_SIZE];

    buf_printf(&out, "%s %-5s %s", clock_rfc3339(clock_sample().wall_ms, now),
               log_levels[line->level].name, line->message);
    log_put_fields(&out, line);
    log_emit(&out);
}

static void log_write_logfmt(const struct log_line *line)
{
    struct buf out = BUF_INIT(LOG_LINE_MAXIMUM);
    char now[CLOCK_RFC3339_SIZE];

    buf_printf(&out, "time=%s level=%s msg=", clock_rfc3339(clock_sample().wall_ms, now),
               log_levels[line->level].name);
    log_put_value(&out, line->message);
    log_put_fields(&out, line);
    log_emit(&out);
}

/* A JSON string; bytes beyond ASCII become '?' where the text is not valid UTF-8. */
static json_t *log_json_text(const char *text)
{
    json_t *string = json_string(text);

    if (string == NULL) {
        char *plain = memory_copy(text);
        for (char *at = plain; *at != '\0'; at++)
            *at = isascii((unsigned char)*at) ? *at : '?';
        string = json_string(plain);
        free(plain);
    }
    return string;
}

static void log_write_json(const struct log_line *line)
{
    json_t *object = json_object();
    char now[CLOCK_RFC3339_SIZE];

    json_object_set_new(object, "time", json_string(clock_rfc3339(clock_sample().wall_ms, now)));
    json_object_set_new(object, "level", json_string(log_levels[line->level].name));
    json_object_set_new(object, "message", log_json_text(line->message));
    for (size_t i = 0; i < line->count; i++) {
        const struct log_field *field = &line->fields[i];
        if (field->key != NULL)
            json_object_set_new(object, field->key,
                                field->text != NULL ? log_json_text(field->text)
                                                    : json_integer(field->number));
    }
    struct buf out = BUF_INIT(0); /* a cut JSON text would not be JSON */
    char *text = json_dumps(object, JSON_COMPACT);
    buf_puts(&out, text != NULL ? text : "{}");
    log_emit(&out);
    free(text);
    json_decref(object);
}

/* "replica_count" becomes the journal's field SCHEMAGATE_REPLICA_COUNT. */
static char *log_journal_entry(const struct log_field *field)
{
    char *entry = field->text != NULL
                      ? memory_printf("SCHEMAGATE_%s=%s", field->key, field->text)
                      : memory_printf("SCHEMAGATE_%s=%" PRId64, field->key, field->number);

    for (char *at = entry; *at != '='; at++)
        *at = (char)toupper((unsigned char)*at);
    return entry;
}

/* The message repeats the fields, because journalctl shows nothing else unless it is asked to. */
static void log_write_journal(const struct log_line *line)
{
    struct iovec *entries = memory_new((line->count + 2) * sizeof(*entries));
    struct buf message = BUF_INIT(LOG_LINE_MAXIMUM);
    int used = 0;

    buf_printf(&message, "MESSAGE=%s", line->message);
    log_put_fields(&message, line);
    entries[used++].iov_base = buf_take(&message);
    entries[used++].iov_base = memory_printf("PRIORITY=%d", log_levels[line->level].priority);
    for (size_t i = 0; i < line->count; i++)
        if (line->fields[i].key != NULL)
            entries[used++].iov_base = log_journal_entry(&line->fields[i]);
    for (int i = 0; i < used; i++)
        entries[i].iov_len = strlen(entries[i].iov_base);
    if (sd_journal_sendv(entries, used) < 0)
        log_write_logfmt(line);
    for (int i = 0; i < used; i++)
        free(entries[i].iov_base);
    free(entries);
}
