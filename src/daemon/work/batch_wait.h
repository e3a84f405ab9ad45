/* SPDX-License-Identifier: MIT */
/*
 * How long to wait for more connections before a run, while CPUs are scarce.
 *
 * Where those who ask and the server compete for the same CPUs, each look at who has come, and
 * each run that serves few, takes time from those who would come next. So, while somebody waits
 * for a CPU and runs serve neither hardly anybody nor already many, the pace grows from run to
 * run; it shrinks when CPUs are to spare, and when a crowd is back before its time.
 *
 * For connections only. Datagrams and messages wait in buffers that are emptied with few calls:
 * there, waiting for more does not pay (doc/decisions/0012).
 *
 * For one thread at a time: the leader's.
 */
#ifndef RUPTIME_DAEMON_WORK_BATCH_WAIT_H
#define RUPTIME_DAEMON_WORK_BATCH_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* The pace is none, or between these two. */
#define BATCH_WAIT_MIN_NS 50000ull
#define BATCH_WAIT_MAX_NS 2000000ull

/* A run that serves fewer connections is for hardly anybody; one that serves so many, for many. */
#define BATCH_WAIT_FEW  4
#define BATCH_WAIT_MANY 64

struct batch_wait {
	uint64_t ns;
};

/* What a run has been like. */
struct batch_wait_run {
	uint64_t connections;	/* that it served */
	uint64_t worth;		/* as many as are answered in the time that runs may take */
	uint64_t back_ns;	/* after so long the last crowd was back; 0: not in time */
	bool scarce;		/* somebody waits for a CPU */
};

/* Adapt the pace to the run that is over. Returns it. */
uint64_t batch_wait_look(struct batch_wait *pace, const struct batch_wait_run *run);

#endif
