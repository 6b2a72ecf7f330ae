/* Session pins and their markers (docs/design.md §5; daemon/db/sql/functions/markers.sql and pin.sql): a gate that tries,
 * crashes and begins anew, a former coordinator that settles the markers late, a session of the old release on the
 * primary and one on a standby that replays with delay. A pin takes its lock first and reads the markers then, in an order
 * of its own; a gate sets the markers first and looks at the locks then.
 * Each step may be interrupted by all others. A marker is a sequence: a rollback leaves it as it was set.
 *
 * Checked: no contract is committed while a session of the old release works, and none begins to work afterwards.
 * Broken variants, which have to be found: LOOK_FIRST (the gate looks before it sets the marker), READ_FIRST (the pin reads
 * before it takes its lock), READ_FLOOR_FIRST (the marker that is opened last is read last), SNAPSHOT (the pin goes
 * by the window row as its transaction sees it), NO_REPLAY (the standby's locks are read before the marker is there),
 * SETTLE_UNLOCKED (markers are settled beside a transaction that moves the window). */

#define TRIES 3 /* of the gate */
#define LIVES 2 /* how often each session connects */

#define PRIMARY 0
#define STANDBY 1
#define SERVERS 2

mtype = { floor, contracting };

/* The window row as it is committed, and its lock. */
bool row_contracting = false, row_floor = false;
bool row_locked = false;

/* The markers, and the way they travel. */
bool marker_contracting[SERVERS], marker_floor[SERVERS];
chan wal = [4] of { mtype, bool };
byte written = 0, replayed = 0;

/* The sessions: what PostgreSQL's lock table shows, and the truth. */
bool pinned[SERVERS], works[SERVERS];

inline set_marker(name, value)
{
    atomic {
        if
        :: name == contracting && marker_contracting[PRIMARY] != value ->
           marker_contracting[PRIMARY] = value; wal!contracting,value; written++
        :: name == floor && marker_floor[PRIMARY] != value ->
           marker_floor[PRIMARY] = value; wal!floor,value; written++
        :: else -> skip
        fi
    }
}

#ifdef SETTLE_UNLOCKED
#define MAY_SETTLE true
#else
#define MAY_SETTLE !row_locked
#endif

/* By what is committed, behind the row's lock. */
inline settle()
{
    bool was_contracting, was_floor;
    atomic { MAY_SETTLE -> was_contracting = row_contracting; was_floor = row_floor
#ifndef SETTLE_UNLOCKED
        ; row_locked = true
#endif
    };
    set_marker(contracting, was_contracting);
    set_marker(floor, was_floor);
#ifndef SETTLE_UNLOCKED
    row_locked = false;
#endif
    atomic { was_contracting = false; was_floor = false }
}

active proctype Replay()
{
    mtype name;
    bool value;
end:
    do
    :: atomic { wal?name,value ->
        if
        :: name == contracting -> marker_contracting[STANDBY] = value
        :: name == floor -> marker_floor[STANDBY] = value
        fi;
        replayed++ }
    od
}

/* A coordinator that was followed by another, and goes on with what it was about. */
active proctype Zombie()
{
    settle()
}

inline look()
{
#ifndef NO_REPLAY
    mark = written;
    (replayed >= mark);
#endif
    holds = pinned[PRIMARY];
    holds = holds || pinned[STANDBY]
}

active proctype Gate()
{
    byte tries = 0, mark;
    bool holds;
    do
    :: tries == TRIES || row_floor -> break
    :: tries < TRIES && !row_floor ->
       tries++;
       /* a term begins: admission opens where a crash left it closed */
       atomic { !row_locked -> row_contracting = false };
       settle();
#ifdef LOOK_FIRST
       look();
#endif
       atomic { !row_locked -> row_locked = true };
       set_marker(contracting, true);
       if
       :: atomic { row_contracting = true; row_locked = false }
       :: atomic { row_locked = false; goto crashed } /* rolled back */
       fi;
#ifndef LOOK_FIRST
       look();
#endif
       if
       :: skip
       :: goto crashed
       fi;
       atomic { !row_locked -> row_locked = true };
       if
       :: !holds ->
          set_marker(floor, true);
          if
          :: atomic {
                assert(!works[PRIMARY] && !works[STANDBY]);
                row_floor = true; row_contracting = false; row_locked = false }
          :: row_locked = false
          fi
       :: holds -> atomic { row_contracting = false; row_locked = false }
       fi;
       if
       :: settle()
       :: skip /* it crashed before */
       fi;
crashed:
       atomic { holds = false; mark = 0 }
    od
}

inline read(s)
{
#ifdef READ_FLOOR_FIRST
    below = marker_floor[s];
    closed = marker_contracting[s];
#else
    closed = marker_contracting[s];
    below = marker_floor[s];
#endif
}

proctype OldSession(byte s)
{
    byte life = 0;
    bool closed, below, snapshot;
    do
    :: life == LIVES -> break
    :: life < LIVES ->
       life++;
       snapshot = row_contracting || row_floor;
#ifdef READ_FIRST
       read(s);
       pinned[s] = true;
#else
       pinned[s] = true;
       read(s);
#endif
#ifdef SNAPSHOT
       atomic { closed = snapshot; below = false };
#endif
       if
       :: closed || below -> pinned[s] = false
       :: else ->
          atomic { works[s] = true; assert(!row_floor) };
          atomic { works[s] = false; pinned[s] = false }
       fi;
       atomic { closed = false; below = false; snapshot = false }
    od
}

init
{
    atomic { run OldSession(PRIMARY); run OldSession(STANDBY) }
}
