/* Sizes, waits and rates. */
#include <schemagate/core/batch.h>

#include <string.h>

#define LOOK_AGAIN_MS 500  /* while the load forbids a batch */
#define WAIT_MOST_MS 5000  /* for the log to become idle: then the load is judged anew */
#define SAMPLE_MS 1000
#define CREDIBLE_MS 3000
#define BYTES_PER_MB 1048576

static int64_t between(int64_t low, int64_t value, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

int64_t batch_rows_next(int64_t rows, int64_t walked, double elapsed_ms, int64_t target_ms)
{
    double fitting = (double)rows * (double)target_ms / (elapsed_ms > 0.1 ? elapsed_ms : 0.1);

    if (walked < rows && fitting >= (double)rows)
        return rows;
    int64_t wanted = fitting < (double)BATCH_ROWS_MOST ? (int64_t)fitting : BATCH_ROWS_MOST;
    return between(BATCH_ROWS_LEAST, between(rows / 4, wanted, rows * 2), BATCH_ROWS_MOST);
}

int64_t batch_rows_after_conflict(int64_t rows)
{
    return between(BATCH_ROWS_LEAST, rows / 2, BATCH_ROWS_MOST);
}

const char *batch_throttle_name(enum batch_throttle throttle)
{
    static const char *const names[BATCH_THROTTLES] = {
        [THROTTLE_NONE] = "",
        [THROTTLE_REPLICATION_LAG] = "replication-lag",
        [THROTTLE_REPLICATION_SLOT] = "replication-slot",
        [THROTTLE_ACTIVE_SESSIONS] = "active-sessions",
        [THROTTLE_WAL_RATE] = "wal-rate",
    };

    return names[throttle];
}

/* So long that the log has grown, on average since the look before, at the rate that is allowed. */
static int64_t wal_debt_ms(const struct batch_limits *limits, const struct batch_load *load,
                           int64_t wal_before, double elapsed_ms)
{
    if (limits->max_wal_mb_per_second == 0 || wal_before < 0 || load->wal_bytes < wal_before)
        return 0;
    double allowed_per_ms = (double)limits->max_wal_mb_per_second * BYTES_PER_MB / 1000.0;
    double debt = (double)(load->wal_bytes - wal_before) / allowed_per_ms - elapsed_ms;
    return debt < 1 ? 0 : debt > WAIT_MOST_MS ? WAIT_MOST_MS : (int64_t)debt;
}

struct batch_wait batch_wait(const struct batch_limits *limits, const struct batch_load *load,
                             int64_t wal_before, double elapsed_ms)
{
    if (limits->max_lag_seconds > 0 && load->lag_seconds > limits->max_lag_seconds)
        return (struct batch_wait){THROTTLE_REPLICATION_LAG, LOOK_AGAIN_MS, true};
    if (limits->max_retained_wal_mb > 0
        && load->slot.retained_bytes > limits->max_retained_wal_mb * BYTES_PER_MB)
        return (struct batch_wait){THROTTLE_REPLICATION_SLOT, LOOK_AGAIN_MS, true};
    if (limits->max_active_sessions > 0 && load->active_sessions > limits->max_active_sessions)
        return (struct batch_wait){THROTTLE_ACTIVE_SESSIONS, LOOK_AGAIN_MS, true};
    int64_t debt = wal_debt_ms(limits, load, wal_before, elapsed_ms);
    if (debt > 0)
        return (struct batch_wait){THROTTLE_WAL_RATE, debt, false};
    return (struct batch_wait){.throttle = THROTTLE_NONE};
}

/* ---- rate ---- */

static size_t place(const struct batch_meter *meter, size_t number)
{
    return (meter->first + number) % BATCH_SAMPLES;
}

void batch_meter_add(struct batch_meter *meter, int64_t at_ms, int64_t rows)
{
    if (meter->count > 0) {
        size_t last = place(meter, meter->count - 1);
        if (rows < meter->samples[last].rows)
            memset(meter, 0, sizeof *meter);
        else if (meter->count > 1
                 && at_ms - meter->samples[place(meter, meter->count - 2)].at_ms < SAMPLE_MS)
            meter->count--; /* the last one is a provisional end */
    }
    if (meter->count == BATCH_SAMPLES) {
        meter->first = place(meter, 1);
        meter->count--;
    }
    size_t next = place(meter, meter->count++);
    meter->samples[next].at_ms = at_ms;
    meter->samples[next].rows = rows;
}

double batch_meter_rate(const struct batch_meter *meter)
{
    if (meter->count < 2)
        return -1;
    size_t from = meter->first, to = place(meter, meter->count - 1);
    int64_t ms = meter->samples[to].at_ms - meter->samples[from].at_ms;
    int64_t rows = meter->samples[to].rows - meter->samples[from].rows;
    return ms < CREDIBLE_MS || rows == 0 ? -1 : (double)rows * 1000 / (double)ms;
}

int64_t batch_meter_eta(const struct batch_meter *meter, int64_t rows_left)
{
    double rate = batch_meter_rate(meter);

    if (rate <= 0)
        return -1;
    return rows_left > 0 ? (int64_t)((double)rows_left / rate + 0.5) : 0;
}
