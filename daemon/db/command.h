/* A step that is a configured command (struct execution_command), while the session holds the lock. */
#ifndef DB_COMMAND_H
#define DB_COMMAND_H

#include "execution.h"

/* Starts it. After exit code 0 `succeeded` is called, with what the event is to say put into the changes;
 * any other end, and that of the session, finishes the try. */
void command_start(struct executor_try *try, void (*succeeded)(struct executor_try *try));

/* Before it was started, or after command_kill. */
void command_finish_cancelled(struct executor_try *try);

/* The session was just seen to hold the lock. Where that is not said in time, the command is ended: this
 * process may stand still, and its successor begin. Then nothing is known of the try. */
void command_prove(struct executor_try *try);

/* Ends it at once, with all of its process group. */
void command_kill(struct executor_try *try);

/* The same without waiting for the loop; finishes the try. */
void command_abandon(struct executor_try *try);

#endif
