/* Migrations over HTTP: submitting, waiting, looking at the gate, acting. */
#ifndef SUPPORT_ROLLOUT_H
#define SUPPORT_ROLLOUT_H

#include <support/http.h>

#include <stdbool.h>

/* Submits a file's text; fails the test unless it is created. */
void rollout_submit(struct http_client *client, int64_t version, const char *sql);

/* Submits with more members of the body (taken over) and returns the answer. */
const struct http_answer *rollout_try_submit(struct http_client *client, int64_t version,
                                             const char *sql, json_t *more);

const struct http_answer *rollout_get(struct http_client *client, int64_t version);

/* Waits, by long polling, until the migration is in this phase. */
void rollout_wait(struct http_client *client, int64_t version, const char *phase);

/* Waits until the migration has this status ("failed", "paused"). */
void rollout_wait_status(struct http_client *client, int64_t version, const char *status);

/* Waits until somebody is named who is in the way of its next try. */
void rollout_wait_blocked(struct http_client *client, int64_t version);

/* Waits until the gate has this hold. */
void rollout_wait_hold(struct http_client *client, int64_t version, const char *code);

bool rollout_has_hold(struct http_client *client, int64_t version, const char *code);

/* An operator's action; fails the test unless it is accepted. */
void rollout_act(struct http_client *client, int64_t version, const char *action);

void rollout_expect_phase(struct http_client *client, int64_t version, const char *phase,
                          const char *status);
void rollout_expect_window(struct http_client *client, int64_t floor, int64_t ceiling);

#endif
