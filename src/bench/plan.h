/* SPDX-License-Identifier: MIT */
/*
 * What a run shall do. Filled once from the options; read-only while threads run.
 */
#ifndef RUPTIME_BENCH_PLAN_H
#define RUPTIME_BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct plan {
	bool open_loop;
	bool constant;		/* open loop: even gaps instead of a Poisson process */
	double rate_rps;	/* open loop */
	uint32_t in_flight;	/* most at a time; open loop: 0 for as many as it takes */
	uint32_t threads;
	uint64_t warmup_ns;
	uint64_t duration_ns;
	uint64_t timeout_ns;	/* after which a request is lost */
	const char *expect;	/* NULL: any text will do */
	pid_t server_pid;	/* whose CPU time is measured with its children's; 0: nobody's */
	bool progress;		/* a live line on stderr */
	int stop_fd;		/* readable, for good: measure no longer. Borrowed. */
};

#endif
