/* Waiting for a migration to reach a phase, and showing what it waits for. */
#ifndef SCHEMAGATE_CLI_FOLLOW_H
#define SCHEMAGATE_CLI_FOLLOW_H

#include "client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum follow_outcome { FOLLOW_WAIT, FOLLOW_REACHED, FOLLOW_FAILED, FOLLOW_ENDED };

/* What a migration's document means for somebody who waits for `until` ("expanded", "complete"). */
enum follow_outcome follow_judge(const json_t *migration, const char *until);

struct follow {
    struct client *client;
    const char *until;
    int64_t timeout_ms; /* 0: none; counted from follow_start */
    bool json;          /* no lines about progress; the caller prints the document */
    int64_t started_ms; /* CLOCK_BOOTTIME; set by follow_start */
};

void follow_start(struct follow *follow);

/* Waits for one migration, with what it waits for on stderr. Returns the exit code; *last (may be
 * NULL) is the newest document, NULL where there was none; the caller releases it. */
int follow_migration(const struct follow *follow, int64_t version, json_t **last);

#endif
