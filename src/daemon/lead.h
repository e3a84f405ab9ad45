/* SPDX-License-Identifier: MIT */
/*
 * Who leads, and when the next run may start.
 *
 * One worker at a time leads: it alone takes from the queue and measures. It gives the role up
 * when the run is over, before it answers; from then on somebody may lead again
 *
 *	- at once, if nobody is answering: a server with nothing else to do measures;
 *	- while others answer, if what waits takes longer to answer than LEAD_WORTH runs take,
 *	- or if the last run ended LEAD_WORTH runs, and at least LEAD_PAUSE_NS, ago.
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
#ifndef RUPTIME_DAEMON_LEAD_H
#define RUPTIME_DAEMON_LEAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LEAD_WORTH    2
#define LEAD_PAUSE_NS 1000000ull

/* Waking somebody to lead costs about as much as a short run: so no run counts as shorter. */
#define LEAD_RUN_MIN_NS 100000ull

/*
 * The moment is this part of a run; there is none if it would be shorter than LEAD_RUN_MIN_NS, or
 * after a crowd smaller than LEAD_CROWD. Nor is it ever longer than LEAD_GATHER_MAX_NS: a crowd
 * that is not back by then does not come at once, however long its runs take.
 */
#define LEAD_GATHER_PART   4
#define LEAD_GATHER_MAX_NS 10000000ull
#define LEAD_CROWD	   4

struct lead {
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
struct lead_turn {
	uint64_t began_ns;
	uint64_t worth;			/* so many waiting are worth a run */
	uint64_t due_ns;		/* any number is, from now on */
};

enum lead_result {
	LEAD_TAKEN,
	LEAD_LATE,	/* the deadline has passed */
	LEAD_OVER,	/* there will never be anything to lead for again */
};

/* Returns 0, or -1 with errno. */
int lead_init(struct lead *lead);
void lead_fini(struct lead *lead);

/* For a worker with nothing to answer: wait until it leads, or until DEADLINE_NS. */
enum lead_result lead_take(struct lead *lead, uint64_t deadline_ns);

/*
 * For the leader, who has taken something, where PACE_NS is worth waiting (pace.h): how long to
 * gather more before the run, or 0; and in *CROWD how many may be back by then.
 */
uint64_t lead_gather_ns(struct lead *lead, uint64_t pace_ns, uint64_t now_ns, uint64_t *crowd);

/* How many are answered in the time that runs take, of late, to be worth it. Any thread. */
uint64_t lead_worth(struct lead *lead);

/* The run from BEGAN_NS to ENDED_NS is over: give the role up, and begin to answer. */
void lead_hand_on(struct lead *lead, uint64_t began_ns, uint64_t ended_ns, struct lead_turn *turn);

/* Now and then while answering, with WAITING in the queue: call somebody to lead if it is time. */
void lead_look(struct lead *lead, struct lead_turn *turn, uint64_t waiting, uint64_t now_ns);

/* All COUNT requests of the turn are answered. */
void lead_done(struct lead *lead, const struct lead_turn *turn, uint64_t count, uint64_t now_ns);

/* The leader has found that the queue is finished: let everybody go. */
void lead_end(struct lead *lead);

#endif
