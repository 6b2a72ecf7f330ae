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
};

/* Carries out a batch of at most `rows` rows; returns the progress behind it. */
static inline json_t *batches_carry_out(struct world_batches *b, const json_t *progress, int64_t rows)
{
    int64_t from = json_integer_value(json_object_get(progress, "walked")), upto = from + rows;

    if (b->whole && !progress)
        return json_pack("{s:i, s:i, s:I, s:i, s:b, s:s}", "rows", 0, "walked", 0, "estimate",
                         (json_int_t)b->row_count, "pass", 1, "done", 0, "whole", b->whole);
    if (upto > b->row_count || b->whole)
        upto = b->row_count;
    for (int64_t i = from; i < upto; i++)
        b->rows[i]++;
    if (rows > 0)
        b->count++;
    else
        b->looks++;
    b->load.wal_bytes += rows > 0 ? b->wal_bytes : 0;
    return json_pack("{s:I, s:I, s:I, s:i, s:b, s:n, s:n}", "rows", (json_int_t)upto, "walked",
                     (json_int_t)upto, "estimate", (json_int_t)b->row_count, "pass", 1, "done",
                     rows > 0 && upto == b->row_count, "verified", "whole");
}

#endif
