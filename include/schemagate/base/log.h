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

#define LOG_TEXT(key_, text_) ((struct log_field){.key = (key_), .text = (text_) ? (text_) : ""})
#define LOG_NUMBER(key_, number_) ((struct log_field){.key = (key_), .number = (int64_t)(number_)})

/* Sets level and format for the process. The logger is the one piece of process-wide state that
 * modules share, because a message must be possible everywhere. Until it is called: info, auto. */
void log_open(enum log_level level, enum log_format format);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* The first, empty field lets the list of fields be empty. */
#define LOG_AT(level, message, ...)                                                                 \
    log_write(level, message, (const struct log_field[]){{0}, ##__VA_ARGS__},                        \
              sizeof((const struct log_field[]){{0}, ##__VA_ARGS__}) / sizeof(struct log_field))

#define log_error(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, ##__VA_ARGS__)
#define log_warn(message, ...) LOG_AT(LOG_LEVEL_WARN, message, ##__VA_ARGS__)
#define log_info(message, ...) LOG_AT(LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define log_debug(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)

#endif
