/* SPDX-License-Identifier: MIT */
/*
 * When the requests of a lane leave: those that are due or have a free slot, and, first come
 * first served, those for which the kernel had no room yet. A new request to an endpoint stands
 * behind all that wait for room there, so that the order of the line at a server is the order in
 * which the requests were due. The lane's thread only.
 */
#ifndef RUPTIME_BENCH_LAUNCH_H
#define RUPTIME_BENCH_LAUNCH_H

#include <stdbool.h>

#include "bench/lane.h"

/* Launch what is due at NOW_NS, as much of it as goes at once. */
void launch_due(struct lane *lane, uint64_t now_ns);

/* Try again those for which there was no room, in their order. */
void launch_again(struct lane *lane);

/* When launch_due() or launch_again() has something to do; CLOCK_NEVER: not before an event. */
uint64_t launch_next_ns(const struct lane *lane, uint64_t now_ns);

/* Is there nothing more to launch at NOW_NS or later? */
bool launch_is_over(const struct lane *lane, uint64_t now_ns);

/* Count what was due before the end and has not been sent. Once, when launching is over. */
void launch_count_unsent(struct lane *lane);

#endif
