/* SPDX-License-Identifier: MIT */
/*
 * A thread that does for main what takes long, such as stopping the server, while main goes on
 * minding signals and the runner. One job at a time, given by one thread.
 */
#ifndef RUPTIME_DAEMON_LIFE_STARTER_H
#define RUPTIME_DAEMON_LIFE_STARTER_H

struct starter;

/* Start the thread. Returns NULL with errno. */
struct starter *starter_new(void);

/* Have the thread call JOB(ARGUMENT) next, and do not wait for it. */
void starter_begin(struct starter *starter, void (*job)(void *argument), void *argument);

/* Wait until it has nothing left to do. */
void starter_await(struct starter *starter);

/* The same, end the thread and free STARTER. NULL is fine. */
void starter_free(struct starter *starter);

#endif
