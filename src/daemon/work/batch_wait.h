/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a larger batch: the one policy that says when the next run may start, how long the
 * leader gathers requests before it, and how long the acceptor rests. doc/decisions/0001 and 0012
 * have the figures. How long runs and answers take is measured as they happen.
 *
 * When may the next run start?
 *	- at once, if no worker is answering: a server with nothing else to do measures;
 *	- while workers answer, if the requests that wait take longer to answer than BATCH_WAIT_RUNS
 *	  runs take;
 *	- or if the last run ended BATCH_WAIT_RUNS runs, and at least BATCH_WAIT_PAUSE_NS, ago.
 * So under load answering has the larger share of the time, and runs serve many. The last rule
 * bounds how long a lone request waits for a crowd to be answered. No thread is woken to look: the
 * workers that answer look between two batches.
 *
 * How long does the leader gather?
 * Clients that were just answered tend to ask again at once. So after a crowd the leader gathers
 * for a part of a run, which is short beside the run that it saves those clients from waiting for;
 * or for as long as it took to answer the crowd, but a run at most, since it takes about as long
 * until the crowd is back (doc/decisions/0019); or for the pace, if that is longer.
 *
 * The pace: where clients and server compete for the same CPUs, each look at the listeners, and
 * each run that serves few, takes time from the clients that would come next. While threads wait
 * for a CPU and runs serve neither very few connections nor already many, the pace grows from run
 * to run. It shrinks when CPUs are idle, and when a crowd is back before its time. Where the
 * largest of recent runs served few, few clients ask at a time, and waiting finds no more of them:
 * there is no pace (doc/decisions/0017). It follows connections only: datagrams and messages wait
 * in buffers that are emptied with few calls.
 *
 * How long does the acceptor rest? For a half of the pace, after a push that woke no worker.
 */
#ifndef RUPTIME_DAEMON_WORK_BATCH_WAIT_H
#define RUPTIME_DAEMON_WORK_BATCH_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define BATCH_WAIT_RUNS	    2
#define BATCH_WAIT_PAUSE_NS (1 * CLOCK_MS)

/* To wake a worker costs about as much as a short run: so no run counts as shorter. */
#define BATCH_WAIT_RUN_MIN_NS (100 * CLOCK_US)

/*
 * The leader gathers for this part of a run at least; not at all if it would be for less than
 * BATCH_WAIT_RUN_MIN_NS, or after fewer answers than BATCH_WAIT_CROWD. A crowd that is not back
 * after BATCH_WAIT_GATHER_MAX_NS does not come at once, however long its runs take.
 */
#define BATCH_WAIT_GATHER_PART	 4
#define BATCH_WAIT_GATHER_MAX_NS (10 * CLOCK_MS)
#define BATCH_WAIT_CROWD	 4

/* The pace is none, or between these two. */
#define BATCH_WAIT_MIN_NS (50 * CLOCK_US)
#define BATCH_WAIT_MAX_NS (2 * CLOCK_MS)

/* A run for fewer connections serves very few, one for so many serves many. */
#define BATCH_WAIT_FEW	4
#define BATCH_WAIT_MANY 64

/*
 * There is a pace if one of recent runs served as many connections as this. What the largest one
 * served is forgotten in some BATCH_WAIT_PEAK_RUNS runs.
 */
#define BATCH_WAIT_PEAK	     24
#define BATCH_WAIT_PEAK_RUNS 16

/* The acceptor rests for this part of the pace. */
#define BATCH_WAIT_REST_PART 2

struct batch_wait {
	pthread_mutex_t lock;		/* protects the next four */
	uint64_t run_ns;		/* the average of recent runs */
	uint64_t answer_ns;		/* and of the time to answer one request */
	uint64_t crowd;			/* requests that were answered last */
	uint64_t crowd_ns;		/* and when */
	uint64_t pace_ns;		/* the leader's */
	uint64_t peak;			/* the leader's: connections in the largest recent run */
};

/* The answering of one worker after its run. */
struct batch_wait_turn {
	uint64_t began_ns;
	uint64_t worth;			/* so many waiting requests are worth a run */
	uint64_t due_ns;		/* from now on any number is */
};

/* A run that is over. */
struct batch_wait_run {
	uint64_t connections;	/* that it served */
	uint64_t worth;		/* batch_wait_worth() */
	uint64_t back_ns;	/* the last crowd was back after so long; 0: not in time */
	bool scarce;		/* threads wait for a CPU */
};

void batch_wait_init(struct batch_wait *wait);
void batch_wait_fini(struct batch_wait *wait);

/*
 * For the leader, which has taken requests: how long to gather more before the run, or 0; and in
 * *CROWD how many may come by then.
 */
uint64_t batch_wait_gather_ns(struct batch_wait *wait, uint64_t now_ns, uint64_t *crowd);

/* The run from BEGAN_NS to ENDED_NS is over, and the answering of TURN begins. Thread-safe. */
void batch_wait_run_ended(struct batch_wait *wait, uint64_t began_ns, uint64_t ended_ns,
	struct batch_wait_turn *turn);

/* May a run start at NOW_NS, with WAITING requests in the queue, while TURN is answered? */
bool batch_wait_is_due(const struct batch_wait_turn *turn, uint64_t waiting, uint64_t now_ns);

/* All COUNT requests of TURN were answered by NOW_NS. Thread-safe. */
void batch_wait_answered(struct batch_wait *wait, const struct batch_wait_turn *turn,
	uint64_t count, uint64_t now_ns);

/* How many requests are answered in the time of BATCH_WAIT_RUNS runs. Thread-safe. */
uint64_t batch_wait_worth(struct batch_wait *wait);

/* For the leader: adapt the pace to RUN. Returns it. */
uint64_t batch_wait_adapt(struct batch_wait *wait, const struct batch_wait_run *run);

/* For the leader: how long the acceptor is to rest. */
uint64_t batch_wait_rest_ns(const struct batch_wait *wait);

#endif
