/* How the process tree is brought down: a pure state machine. The tree is asked with SIGTERM, given
 * time, then killed; only when nothing of it is left may the replica say goodbye. */
#ifndef SCHEMAGATE_CLI_RUN_DRAIN_H
#define SCHEMAGATE_CLI_RUN_DRAIN_H

enum drain_state {
    DRAIN_NOTHING, /* no command was started */
    DRAIN_RUNNING,
    DRAIN_STOPPING, /* was asked to stop, has until the kill */
    DRAIN_KILLING,  /* SIGKILL was sent; what it orphans is killed as it appears */
    DRAIN_GONE,
    DRAIN_STATES
};

enum drain_event {
    DRAIN_STARTED,     /* the command runs */
    DRAIN_STOP,        /* SIGTERM came, or the wrapper itself wants an end */
    DRAIN_MAIN_EXITED, /* the command ended, descendants are left */
    DRAIN_REAPED,      /* some descendant ended, others are left */
    DRAIN_KILL_DUE,    /* the time is up */
    DRAIN_TREE_GONE,   /* nothing is left */
    DRAIN_EVENTS
};

/* What to do, as a set. */
enum drain_action {
    DRAIN_ASK_GROUP = 1, /* SIGTERM and SIGCONT to the command's process group */
    DRAIN_ASK_ALL = 2,   /* the same to whatever is left, in any group */
    DRAIN_ARM_KILL = 4,  /* the kill is due --kill-after from now */
    DRAIN_KILL_ALL = 8,  /* SIGKILL to all, and again a second from now */
    DRAIN_FINISH = 16    /* say goodbye */
};

/* One step: changes *state and returns the actions. */
unsigned drain_step(enum drain_state *state, enum drain_event event);

#endif
