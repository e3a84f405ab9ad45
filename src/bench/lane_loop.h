/* SPDX-License-Identifier: MIT */
/*
 * The thread of a lane: it launches what is due, waits for events and hands them to the transport,
 * until nothing is due any more and all that was sent has ended.
 */
#ifndef RUPTIME_BENCH_LANE_LOOP_H
#define RUPTIME_BENCH_LANE_LOOP_H

#include "bench/lane.h"

/* Start the thread of LANE. Returns 0, or -1 with errno. */
int lane_start(struct lane *lane);

/* Blocks until the lane has done all it had to do; then its tallies and ERROR may be read. */
void lane_join(struct lane *lane);

#endif
