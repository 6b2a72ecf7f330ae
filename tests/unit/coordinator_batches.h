/* A table that backfills go through, as coordinator_world.h plays it. */
#ifndef TESTS_UNIT_COORDINATOR_BATCHES_H
#define TESTS_UNIT_COORDINATOR_BATCHES_H

#include <schemagate/coordinator/environment.h>

#define WORLD_ROWS 100000

struct world_batches {
    unsigned char rows[WORLD_ROWS]; /* how often each was changed */
    int64_t row_count;
    unsigned count, looks; /* batches; looks at the load alone */
    struct batch_load load;
    int64_t wal_bytes; /* that a batch adds to the log */
    double seconds; /* that a batch takes */
    const char *whole; /* why it runs as one statement, or NULL: the first batch says so */
    bool verifies; /* each pass ends with a look at all rows, as a batch of its own */
    unsigned verifications;
    int64_t missed; /* rows that the next look finds; the pass behind it does them */
};

static inline json_t *batches_progress(const struct world_batches *b, int64_t walked, int64_t pass, bool done)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:n, s:n}", "rows", (json_int_t)walked, "walked",
                     (json_int_t)walked, "estimate", (json_int_t)b->row_count, "pass", (json_int_t)pass,
                     "done", done, "verified", "whole");
}

static inline json_t *batches_verify(struct world_batches *b, int64_t pass)
{
    json_t *progress = b->missed > 0 ? batches_progress(b, 0, pass + 1, false)
                                     : batches_progress(b, b->row_count, pass, true);

    b->verifications++;
    json_object_set_new(progress, "left", json_integer(b->missed));
    json_object_set_new(progress, "verified", json_boolean(b->missed == 0));
    b->missed = 0;
    return progress;
}

/* Carries out a batch of at most `rows` rows; returns the progress behind it. */
static inline json_t *batches_carry_out(struct world_batches *b, const json_t *progress, int64_t rows)
{
    int64_t from = json_integer_value(json_object_get(progress, "walked")), upto = from + rows,
            pass = progress ? json_integer_value(json_object_get(progress, "pass")) : 1;
    bool verifying = json_is_true(json_object_get(progress, "verifying"));

    if (verifying && rows > 0)
        return batches_verify(b, pass);
    if (b->whole && !progress)
        return json_pack("{s:i, s:i, s:I, s:i, s:b, s:s}", "rows", 0, "walked", 0, "estimate",
                         (json_int_t)b->row_count, "pass", 1, "done", 0, "whole", b->whole);
    if (upto > b->row_count || b->whole)
        upto = b->row_count;
    for (int64_t i = from; i < upto && pass == 1; i++)
        b->rows[i]++;
    if (rows > 0)
        b->count++;
    else
        b->looks++;
    b->load.wal_bytes += rows > 0 ? b->wal_bytes : 0;
    bool ends = rows > 0 && upto == b->row_count;
    json_t *next = batches_progress(b, upto, pass, ends && !b->verifies);
    json_object_set_new(next, "verifying", json_boolean(verifying || (ends && b->verifies)));
    return next;
}

#endif
