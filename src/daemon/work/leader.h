/* SPDX-License-Identifier: MIT */
/*
 * The leading role: one worker at a time leads. The leader alone takes from the queue and measures.
 * It hands the role on when its run is over, before it answers. Another worker takes the role
 *
 *	- at once, if no worker is answering;
 *	- or when a worker that answers calls one, because the next run is due (batch_wait.h).
 */
#ifndef RUPTIME_DAEMON_WORK_LEADER_H
#define RUPTIME_DAEMON_WORK_LEADER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct leader {
	pthread_mutex_t lock;		/* protects what follows */
	pthread_cond_t called;
	bool led;
	bool wanted;			/* a worker was called, and has not taken the role yet */
	bool over;
	unsigned answering;		/* workers that are */
};

enum leader_result {
	LEADER_TAKEN,
	LEADER_LATE,	/* the deadline has passed */
	LEADER_OVER,	/* there will never be anything to lead for again */
};

/* Returns 0, or -1 with errno. */
int leader_init(struct leader *leader);
void leader_fini(struct leader *leader);

/* For a worker with nothing to answer: wait until it leads, or until DEADLINE_NS. */
enum leader_result leader_take(struct leader *leader, uint64_t deadline_ns);

/* The leader's run is over: give the role up, and begin to answer. */
void leader_hand_on(struct leader *leader);

/* For a worker that answers: wake another to lead, unless one leads or was called already. */
void leader_call(struct leader *leader);

/* The worker that handed the role on has answered. It may take the role again at once. */
void leader_answered(struct leader *leader);

/* The leader has found that the queue is finished: release all workers from leader_take(). */
void leader_end(struct leader *leader);

#endif
