/* SPDX-License-Identifier: MIT */
/*
 * Timers: a binary heap, the earliest first. A timer is part of what it is for; adding, moving and
 * removing take logarithmic time and no memory, as there is room for all from the start.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_ASK_TIMERS_H
#define RUPTIME_CLIENT_ASK_TIMERS_H

#include <stdint.h>

struct timer {
	uint64_t due_ns;
	uint32_t place;		/* 1 + the place in the heap; 0: not set */
};

struct timers {
	struct timer **heap;
	uint32_t count;
	uint32_t room;
};

/* Room for ROOM timers at a time. Returns 0, or -1 with errno. */
int timers_init(struct timers *timers, uint32_t room);
void timers_fini(struct timers *timers);

/* Set TIMER, also anew, to DUE_NS; CLOCK_NEVER: unset it. A timer begins as all zeros. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns);

/* The earliest timer, or NULL. It stays set. */
struct timer *timers_first(const struct timers *timers);

#endif
