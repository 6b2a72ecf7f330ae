/* Replicas that end themselves with their lease (`on_lost=exit`, docs/design.md §3, rule 5). Two clocks
 * never agree on a moment, but on spans: a replica counts from sending its last renewal that succeeded, a
 * daemon from receiving it, so that the replica is always first. */
#include "state.h"

#define GRACE_LEAST_MS 5000

/* For so long a proof lasts: a leader that is cut off extends no lease later than that after its last proof,
 * and no successor can have taken over before that proof. A ping is sent every second, and its session is
 * given up after five. */
#define PROOF_MS 5000

int64_t lease_with_grace_ms(int64_t lease_seconds)
{
    int64_t lease_ms = lease_seconds * 1000, grace_ms = lease_ms / 2;
    return lease_ms + (grace_ms > GRACE_LEAST_MS ? grace_ms : GRACE_LEAST_MS);
}

/* ---- who may extend ---- */

void coordinator_prove_lead(struct coordinator *c, int64_t asked_boot)
{
    if (asked_boot > c->proved_boot)
        c->proved_boot = asked_boot;
}

bool fencing_may_extend(const struct coordinator *c)
{
    return c->proved_boot && coordinator_now(c).boot_ms - c->proved_boot < PROOF_MS;
}

/* ---- when it has ended ---- */

/* The leader before may have extended leases until its last proof ran out, of which this one knows nothing,
 * and after a failover the server may not know the longest of them. */
void fencing_begin_term(struct coordinator *c)
{
    int64_t longest = 0;

    for (const struct replica *newest = c->registry.replicas; newest; newest = newest->by_key.next)
        for (const struct replica *r = newest; r; r = r->older)
            if (r->on_lost_exit && r->lease_seconds > longest)
                longest = r->lease_seconds;
    c->fenced_from_boot = coordinator_now(c).boot_ms + PROOF_MS + lease_with_grace_ms(longest);
    if (c->settle_until_boot > c->fenced_from_boot)
        c->fenced_from_boot = c->settle_until_boot;
}

/* A superseded one that was heard of again has not ended, whatever it was answered. */
static int64_t heard_boot(const struct replica *r)
{
    return r->superseded && r->lost_boot > r->renewed_boot ? r->lost_boot : r->renewed_boot;
}

int64_t fencing_ends_boot(const struct coordinator *c, const struct replica *r)
{
    if (!r->on_lost_exit)
        return 0;
    int64_t ends = heard_boot(r) + lease_with_grace_ms(r->lease_seconds);
    return ends > c->fenced_from_boot ? ends : c->fenced_from_boot;
}
