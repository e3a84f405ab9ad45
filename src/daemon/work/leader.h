/* SPDX-License-Identifier: MIT */
/*
 * Who leads, and when the next run may start.
 *
 * One worker at a time leads: it alone takes from the queue and measures. It gives the role up
 * when the run is over, before it answers; from then on somebody may lead again
 *
 *	- at once, if nobody is answering: a server with nothing else to do measures;
 *	- while others answer, if what waits takes longer to answer than LEADER_WORTH runs take,
 *	- or if the last run ended LEADER_WORTH runs, and at least LEADER_PAUSE_NS, ago.
 *
 * So under load answering has the larger share of the time, and runs serve many; the last rule
 * bounds how long a lone request waits for a crowd to be answered. Nobody is woken to look whether
 * it is time: those who answer look as they go along, and call somebody when it is.
 *
 * And a crowd that was just answered tends to be back at once: so a run does not begin until a
 * moment after, which is short beside the run that it saves them from waiting for.
 *
 * How long runs and answers take is measured as they happen. doc/decisions/ has the figures.
 */
#ifndef RUPTIME_DAEMON_WORK_LEADER_H
#define RUPTIME_DAEMON_WORK_LEADER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LEADER_WORTH    2
#define LEADER_PAUSE_NS 1000000ull

/* Waking somebody to lead costs about as much as a short run: so no run counts as shorter. */
#define LEADER_RUN_MIN_NS 100000ull

/*
 * The moment is this part of a run; there is none if it would be shorter than LEADER_RUN_MIN_NS, or
 * after a crowd smaller than LEADER_CROWD. Nor is it ever longer than LEADER_GATHER_MAX_NS: a crowd
 * that is not back by then does not come at once, however long its runs take.
 */
#define LEADER_GATHER_PART   4
#define LEADER_GATHER_MAX_NS 10000000ull
#define LEADER_CROWD	   4

struct leader {
	pthread_mutex_t lock;		/* protects what follows */
	pthread_cond_t called;
	bool led;
	bool wanted;			/* somebody has been called, and has not come yet */
	bool over;
	unsigned answering;		/* workers that are */
	uint64_t run_ns;		/* how long a run takes, of late */
	uint64_t answer_ns;		/* and to answer one request */
	uint64_t crowd;			/* how many were answered last */
	uint64_t crowd_ns;		/* and when */
};

/* What one worker knows of its own answering. */
struct leader_turn {
	uint64_t began_ns;
	uint64_t worth;			/* so many waiting are worth a run */
	uint64_t due_ns;		/* any number is, from now on */
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

/*
 * For the leader, who has taken something, where PACE_NS is worth waiting (batch_wait.h): how
 * long to gather more before the run, or 0; and in *CROWD how many may be back by then.
 */
uint64_t leader_gather_ns(
	struct leader *leader, uint64_t pace_ns, uint64_t now_ns, uint64_t *crowd);

/* How many are answered in the time that runs take, of late, to be worth it. Any thread. */
uint64_t leader_worth(struct leader *leader);

/* The run from BEGAN_NS to ENDED_NS is over: give the role up, and begin to answer. */
void leader_hand_on(
	struct leader *leader, uint64_t began_ns, uint64_t ended_ns, struct leader_turn *turn);

/* Now and then while answering, with WAITING in the queue: call somebody to lead if it is time. */
void leader_look(
	struct leader *leader, struct leader_turn *turn, uint64_t waiting, uint64_t now_ns);

/* All COUNT requests of the turn are answered. */
void leader_done(
	struct leader *leader, const struct leader_turn *turn, uint64_t count, uint64_t now_ns);

/* The leader has found that the queue is finished: let everybody go. */
void leader_end(struct leader *leader);

#endif
