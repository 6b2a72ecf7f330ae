/* The pace of a backfill: how many rows its next batch takes, when it may begin, and how fast it goes. Pure:
 * times are milliseconds of any steady clock. */
#ifndef SCHEMAGATE_CORE_BATCH_H
#define SCHEMAGATE_CORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_ROWS_FIRST 1000
#define BATCH_ROWS_LEAST 100
#define BATCH_ROWS_MOST 1000000

/* Rows for the batch after one that was to take `rows`, went through `walked` and took `elapsed_ms`: as many
 * as take target_ms, at most twice, at least a quarter of those before. One that found fewer rows than it
 * could take (the end of a table) says nothing, unless it was too long all the same. */
int64_t batch_rows_next(int64_t rows, int64_t walked, double elapsed_ms, int64_t target_ms);

/* Rows for the next try of a batch that met a lock, a deadlock or a conflict: half of them, so that it
 * meets fewer and holds its own for a shorter time. */
int64_t batch_rows_after_conflict(int64_t rows);

/* ---- yielding ---- */

enum batch_throttle {
    THROTTLE_NONE,
    THROTTLE_REPLICATION_LAG,
    THROTTLE_REPLICATION_SLOT,
    THROTTLE_ACTIVE_SESSIONS,
    THROTTLE_WAL_RATE,
    BATCH_THROTTLES
};

const char *batch_throttle_name(enum batch_throttle throttle); /* "replication-lag"; "" for none */

/* 0: off. */
struct batch_limits {
    double max_lag_seconds;
    int64_t max_active_sessions;
    int64_t max_wal_mb_per_second; /* of the whole server; MB: 2^20 bytes */
    int64_t max_retained_wal_mb;
};

/* The replication slot that holds back most of the server's log: that is kept until the slot's consumer has
 * read it, however long it is gone, and fills the disk. */
struct batch_slot {
    char name[64]; /* "": there is none */
    bool active;   /* somebody reads from it */
    int64_t retained_bytes;
};

/* How busy the server was after the last batch. */
struct batch_load {
    double lag_seconds;      /* the largest of all standbys */
    int64_t active_sessions; /* besides the backfill's own; -1: not known */
    int64_t wal_bytes;       /* position in the log; -1: not known */
    struct batch_slot slot;
};

struct batch_wait {
    enum batch_throttle throttle;
    int64_t for_ms; /* until the next batch, or until the load is looked at again */
    bool look;      /* then the load decides, before any batch */
};

/* wal_before, elapsed_ms: the position in the log at the look before (-1: none), and the time since. */
struct batch_wait batch_wait(const struct batch_limits *limits, const struct batch_load *load,
                             int64_t wal_before, double elapsed_ms);

/* ---- rate ---- */

#define BATCH_SAMPLES 32

/* Rows gone through, at points in time that are at least a second apart; times of waiting count. */
struct batch_meter {
    struct {
        int64_t at_ms, rows;
    } samples[BATCH_SAMPLES]; /* a ring, oldest first from `first` on */
    size_t first, count;
};

/* `rows`: the total. A total below the last one (another pass, another step) begins anew. */
void batch_meter_add(struct batch_meter *meter, int64_t at_ms, int64_t rows);
/* Rows a second; negative while it is not credible yet: less than three seconds, or nothing done in them. */
double batch_meter_rate(const struct batch_meter *meter);
/* Seconds for so many more rows; -1: not credible. */
int64_t batch_meter_eta(const struct batch_meter *meter, int64_t rows_left);

/* ---- all of it, for one backfill ---- */

struct batch_pace {
    int64_t rows;         /* of the next batch; 0: none was begun */
    enum batch_throttle throttle; /* it waits because of this */
    bool look;            /* the load is looked at before the next batch */
    struct batch_slot slot; /* at the last look */
    int64_t wal_bytes;    /* at the last look; -1: none */
    int64_t wal_at_ms;
    struct batch_meter meter;
};

#endif
