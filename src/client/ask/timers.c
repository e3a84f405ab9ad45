/* SPDX-License-Identifier: MIT */
#include "client/ask/timers.h"

#include <stdlib.h>

#include "common/clock.h"

int timers_init(struct timers *timers, uint32_t room)
{
	*timers = (struct timers){ .room = room };
	timers->heap = reallocarray(NULL, room, sizeof(*timers->heap));
	return timers->heap ? 0 : -1;
}

void timers_fini(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ .room = 0 };
}

static void put(struct timers *timers, uint32_t at, struct timer *timer)
{
	timers->heap[at] = timer;
	timer->place = at + 1;
}

static void move_up(struct timers *timers, uint32_t at, struct timer *timer)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (timers->heap[parent]->due_ns <= timer->due_ns) {
			break;
		}
		put(timers, at, timers->heap[parent]);
		at = parent;
	}
	put(timers, at, timer);
}

static void move_down(struct timers *timers, uint32_t at, struct timer *timer)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= timers->count) {
			break;
		}
		if (child + 1 < timers->count &&
		    timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns) {
			child++;
		}
		if (timer->due_ns <= timers->heap[child]->due_ns) {
			break;
		}
		put(timers, at, timers->heap[child]);
		at = child;
	}
	put(timers, at, timer);
}

/* Find the place for TIMER, which may be too early or too late where it is. */
static void settle(struct timers *timers, uint32_t at, struct timer *timer)
{
	if (at > 0 && timers->heap[(at - 1) / 2]->due_ns > timer->due_ns) {
		move_up(timers, at, timer);
	} else {
		move_down(timers, at, timer);
	}
}

static void unset(struct timers *timers, struct timer *timer)
{
	uint32_t at = timer->place - 1;
	struct timer *last = timers->heap[--timers->count];

	timer->place = 0;
	if (last != timer) {
		settle(timers, at, last);
	}
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns)
{
	timer->due_ns = due_ns;
	if (due_ns == CLOCK_NEVER) {
		if (timer->place) {
			unset(timers, timer);
		}
	} else if (timer->place) {
		settle(timers, timer->place - 1, timer);
	} else {
		move_up(timers, timers->count++, timer);
	}
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count ? timers->heap[0] : NULL;
}
