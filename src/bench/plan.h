/* SPDX-License-Identifier: MIT */
/*
 * What one run is to do. Filled from the options; read-only while threads run.
 */
#ifndef RUPTIME_BENCH_PLAN_H
#define RUPTIME_BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct progress;
struct samples;

struct plan {
	bool open_loop;
	bool constant;		/* open loop: even gaps instead of a Poisson process */
	bool counted;		/* open loop: the number of a Poisson process is given, too */
	double rate_rps;	/* open loop */
	uint32_t in_flight;	/* most at a time; open loop: 0 for as many as it takes */
	uint32_t threads;
	uint64_t warmup_ns;
	uint64_t duration_ns;	/* 0: until REQUESTS are sent */
	uint64_t requests;	/* measured ones, and then no more; 0: no limit */
	uint64_t timeout_ns;	/* after which a request is lost */
	const char *expect;	/* NULL: any text will do */
	pid_t server_pid;	/* whose CPU time is measured with its children's; 0: none */
	struct progress *progress;	/* the live line. Borrowed. */
	struct samples *samples;	/* where each measured request leaves a record. Borrowed. */
	char side;		/* what these records are marked with: 'A' or 'B' */
	int stop_fd;		/* readable, for good: measure no longer. Borrowed. */
};

#endif
