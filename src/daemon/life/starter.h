/* SPDX-License-Identifier: MIT */
/*
 * A thread that does for main what belongs into the server's sandbox: start the server, whose
 * threads inherit the sandbox, and stop it. One job at a time, given by one thread.
 */
#ifndef RUPTIME_DAEMON_LIFE_STARTER_H
#define RUPTIME_DAEMON_LIFE_STARTER_H

struct starter;

/*
 * Start the thread. It first calls ENTER(ARGUMENT), which returns 0, or -1 with errno; then there
 * is no crew. Blocks until that is known. Returns NULL with errno.
 */
struct starter *starter_new(int (*enter)(void *argument), void *argument);

/* Have the thread call JOB(ARGUMENT) next, and do not wait for it. */
void starter_begin(struct starter *starter, void (*job)(void *argument), void *argument);

/* Wait until it has nothing left to do. */
void starter_await(struct starter *starter);

/* The same, end the thread and free CREW. NULL is fine. */
void starter_free(struct starter *starter);

#endif
