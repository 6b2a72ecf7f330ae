/* Structured log lines on stderr: text, logfmt, JSON or journal fields. A line is a message and typed
 * fields: log_info("lock taken", LOG_NUMBER("epoch", epoch), LOG_TEXT("host", host)). Nothing secret is
 * ever passed here: no SQL parameters, tokens, passwords or connection strings. */
#ifndef SCHEMAGATE_BASE_LOG_H
#define SCHEMAGATE_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;  /* NULL: no field */
    const char *text; /* NULL: the number counts */
    int64_t number;
};

#define LOG_TEXT(key_, text_) log_text_field((key_), (text_))
#define LOG_NUMBER(key_, number_) ((struct log_field){.key = (key_), .number = (int64_t)(number_)})

static inline struct log_field log_text_field(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text ? text : ""};
}

/* Sets level and format for the process. The logger is the one piece of process-wide state that
 * modules share, because a message must be possible everywhere. Until it is called: info, auto. */
void log_open(enum log_level level, enum log_format format);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* The last, empty field lets the list of fields be empty. */
#define LOG_FIELDS(level, message, ...)                                                            \
    log_write(level, message, (const struct log_field[]){__VA_ARGS__},                              \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_AT(level, ...) LOG_FIELDS(level, __VA_ARGS__, {0})

#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
