/* Admission, fence, verification, DDL and takeover (docs/design.md §3, §5) with two daemons, one replica of an old
 * release that registers, falls silent, runs on, leaves and comes again, and a failover that loses the newest epoch.
 * Each atomic block is one transaction in PostgreSQL or one turn of a daemon's loop; between two of them all may happen.
 *
 * Checked: no contract is committed while the old release runs, and it never begins to run afterwards.
 * Broken variants, which have to be found: LEASE_ONLY (a lease that ran out permits), CHECK_BEFORE_FENCE (no
 * verification behind the fence), NO_NONCE (epochs alone tell terms apart), NO_FENCE (a zombie's commits count). */

#define DAEMONS 2
#define TERMS 4 /* so many takeovers at most */
#define LIVES 2 /* how often the old release starts */

mtype = { absent, live, lost, gone };

/* PostgreSQL */
byte lock = 0;     /* the daemon that holds it, from 1 */
byte epoch = 0;
byte nonce = 0, nonces = 0;
byte in_flight = 0; /* transactions that have passed the fence: a takeover waits for them */
bool contracting = false, contracted = false;
mtype row = absent;
bool failed_over = false;

/* The old release, truly. */
bool runs = false;

/* What each daemon believes. */
byte my_epoch[DAEMONS], my_nonce[DAEMONS];
bool leads[DAEMONS], knows_contracting[DAEMONS], knows_contracted[DAEMONS];
bool journal[DAEMONS]; /* one commit is under way at a time */

#ifdef LEASE_ONLY
#define HOLDS (row == live)
#else
#define HOLDS (row == live || row == lost)
#endif

#if defined(NO_FENCE)
#define PASSES(d) (true)
#elif defined(NO_NONCE)
#define PASSES(d) (my_epoch[d] == epoch)
#else
#define PASSES(d) (my_epoch[d] == epoch && my_nonce[d] == nonce)
#endif

inline give_up(d)
{
    leads[d] = false;
    knows_contracting[d] = false
}

/* The session with the lock may end at any time; its daemon need not know. A failover takes the epoch back. */
active proctype Server()
{
    do
    :: atomic { lock != 0 && in_flight == 0 -> lock = 0 }
    :: atomic { !failed_over && epoch > 0 && in_flight == 0 -> failed_over = true; lock = 0; epoch--; nonce = 0 }
    :: contracted -> break
    od
}

proctype Leader(byte d)
{
    bool holds;
    do
    :: contracted -> break
    :: atomic { !leads[d] && lock == 0 && nonces < TERMS -> lock = d + 1 };
       if
       :: atomic { lock == d + 1 && in_flight == 0 && !journal[d] ->
            epoch++; nonces++; nonce = nonces;
            my_epoch[d] = epoch; my_nonce[d] = nonce;
            /* what the last term left: nothing of the contract is committed, and admission opens */
            contracting = false;
            knows_contracted[d] = contracted; knows_contracting[d] = false;
            leads[d] = true }
       :: lock != d + 1 -> skip
       fi
    :: leads[d] && !knows_contracted[d] ->
#ifdef CHECK_BEFORE_FENCE
       holds = HOLDS;
#endif
       /* the fence: through the journal, like every registration */
       atomic { !journal[d] ->
            if
            :: PASSES(d) -> contracting = true; knows_contracting[d] = true
            :: else -> give_up(d)
            fi };
#ifndef CHECK_BEFORE_FENCE
       holds = HOLDS;
#endif
       if
       :: leads[d] && !holds ->
          atomic {
            if
            :: PASSES(d) && lock == d + 1 -> in_flight++
            :: else -> give_up(d)
            fi };
          if
          :: leads[d] ->
             atomic {
                assert(!runs);
                contracted = true; contracting = false; in_flight--;
                knows_contracted[d] = true; knows_contracting[d] = false }
          :: else -> skip
          fi
       :: leads[d] && holds ->
          atomic { !journal[d] ->
            if
            :: PASSES(d) -> contracting = false; knows_contracting[d] = false
            :: else -> give_up(d)
            fi }
       :: !leads[d] -> skip
       fi;
       holds = false
    od
}

/* A registration with daemon d: decided by what it believes, committed later, answered later still. */
inline register_with(d)
{
    atomic { leads[d] && !journal[d] ->
        if
        :: !knows_contracting[d] && !knows_contracted[d] -> journal[d] = true; asked = true
        :: else -> asked = false
        fi };
    admitted = false;
    if
    :: asked ->
       atomic {
          if
          :: PASSES(d) -> row = live; admitted = true
          :: else -> give_up(d)
          fi;
          journal[d] = false }
    :: else -> skip
    fi
}

active proctype OldRelease()
{
    byte life = 0;
    bool asked, admitted;
    do
    :: life == LIVES -> break
    :: life < LIVES ->
       life++;
       if
       :: register_with(0)
       :: register_with(1)
       :: skip -> admitted = false
       fi;
       if
       :: admitted ->
          atomic { runs = true; assert(!contracted) };
          if
          :: atomic { PASSES(0) && leads[0] -> row = lost } /* it falls silent, and runs on */
          :: atomic { PASSES(1) && leads[1] -> row = lost }
          :: skip
          fi;
          runs = false;
          /* it says goodbye, or somebody evicts it */
          if
          :: atomic { row = gone }
          :: skip -> break
          fi
       :: else -> skip
       fi
    od
}

init
{
    atomic { run Leader(0); run Leader(1) }
}
