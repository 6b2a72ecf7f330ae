/* Rows of the database and structs of the model: the one place that knows both. */
#ifndef COORDINATOR_RECORD_H
#define COORDINATOR_RECORD_H

#include <schemagate/coordinator/model.h>

/* Text of a migration file travels only towards the database. */
json_t *record_migration_new(const struct migration *m, const char *sql);
json_t *record_migration_phase(const struct migration *m, enum phase phase, enum phase origin,
                               int64_t since_wall, bool failed, const struct migration_error *error);
json_t *record_migration_pause(int64_t version, bool paused, const char *by, const char *reason,
                               int64_t since_wall);
/* The pieces as they are stored, and handed to the executor. */
json_t *record_batch(const struct plan_batch *batch);
json_t *record_step_new(int64_t version, const struct step *step);
/* Progress only. */
json_t *record_step(int64_t version, const struct step *step, enum step_state state);
/* In the transaction that is the step's work: its time is added to the seconds. */
json_t *record_step_timed(int64_t version, const struct step *step, enum step_state state);
/* The same for one that is done with it; batches were timed themselves. */
json_t *record_step_done(int64_t version, const struct step *step);
json_t *record_drops(const struct plan_work *work); /* array */
json_t *record_replica(const struct replica *r, enum replica_state state, bool superseded,
                       int64_t since_wall, const char *gone_reason);
json_t *record_replica_whole(const struct replica *r); /* all columns */
/* The elapsed time of its soak. */
json_t *record_soak(int64_t version, int64_t elapsed_ms);

json_t *record_window(const struct window *window);

struct migration *record_read_migration(const json_t *row);
bool record_read_step(const json_t *row, struct step *step);
/* Reads an object {"42": "sha256:…"} ascending; the strings belong to the object. Returns the count. */
size_t record_read_knows(const json_t *object, struct gate_knows **knows);
json_t *record_knows(const struct gate_knows *knows, size_t count); /* NULL where it is empty */

const char *record_text(const json_t *row, const char *column);         /* "" where null */
int64_t record_number(const json_t *row, const char *column);           /* 0 where null */
bool record_flag(const json_t *row, const char *column);
int64_t record_time(const json_t *row, const char *column);             /* 0 where null */
json_t *record_time_value(int64_t wall_ms);                             /* null where 0 */

#endif
