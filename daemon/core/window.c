/* Admission to the window of served versions. */
#include <schemagate/core/window.h>

bool window_equal(const struct window *a, const struct window *b)
{
    return a->floor == b->floor && a->ceiling == b->ceiling && a->contracting == b->contracting &&
           a->undoing == b->undoing;
}

/* The first index whose version is >= `version`. */
static size_t lower_bound(const int64_t *versions, size_t count, int64_t version)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (versions[middle] < version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool any_within(const int64_t *versions, size_t count, struct version_range range)
{
    size_t at = lower_bound(versions, count, range.min);
    return at < count && versions[at] <= range.max;
}

bool window_serves(const struct window_view *view, int64_t version)
{
    return any_within(view->served, view->served_count, (struct version_range){version, version});
}

bool window_covers(const struct window_view *view, struct version_range range)
{
    return any_within(view->served, view->served_count, range);
}

int64_t window_previous(const struct window_view *view, int64_t version)
{
    size_t at = lower_bound(view->served, view->served_count, version);
    return at > 0 ? view->served[at - 1] : -1;
}

int64_t window_floor_below(const int64_t *contracted, size_t count, int64_t baseline, int64_t version)
{
    int64_t floor = baseline;
    for (size_t i = 0; i < count; i++)
        if (contracted[i] < version && contracted[i] > floor)
            floor = contracted[i];
    return floor;
}

/* The range without the version whose service is about to end. (What ends with a contract needs no look: the
 * contract's own version is served, and whoever reaches up to it has it.) */
static struct version_range still_offered(const struct window *window, struct version_range range)
{
    if (window->undoing && range.max >= window->undoing)
        range.max = window->undoing - 1;
    return range;
}

enum admission window_admit(const struct window_view *view, struct version_range range)
{
    const struct window *window = &view->window;

    if (range.max < window->floor || (window->contracting && range.max < window->contracting))
        return ADMISSION_TOO_OLD;
    if (window_covers(view, still_offered(window, range)))
        return ADMISSION_LIVE;
    /* An undo may fail, and then its version goes on being served. */
    if (window->undoing && range.min <= window->undoing && range.max >= window->undoing)
        return ADMISSION_WAITING;
    if (range.max > view->latest || any_within(view->pending, view->pending_count, range))
        return ADMISSION_WAITING;
    return ADMISSION_NEVER;
}
