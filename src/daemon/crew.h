/* SPDX-License-Identifier: MIT */
/*
 * A thread that does for main what belongs into the server's sandbox: start the server, whose
 * threads inherit the sandbox, and stop it. One job at a time, given by one thread.
 */
#ifndef RUPTIME_DAEMON_CREW_H
#define RUPTIME_DAEMON_CREW_H

struct crew;

/*
 * Start the thread. It first calls ENTER(ARGUMENT), which returns 0, or -1 with errno; then there
 * is no crew. Blocks until that is known. Returns NULL with errno.
 */
struct crew *crew_new(int (*enter)(void *argument), void *argument);

/* Have the thread call JOB(ARGUMENT) next, and do not wait for it. */
void crew_begin(struct crew *crew, void (*job)(void *argument), void *argument);

/* Wait until it has nothing left to do. */
void crew_await(struct crew *crew);

/* The same, end the thread and free CREW. NULL is fine. */
void crew_free(struct crew *crew);

#endif
