/* SPDX-License-Identifier: MIT */
#include "bench/progress.h"

#include <stdatomic.h>
#include <stdio.h>

#include "bench/lane.h"
#include "common/clock.h"

#define INTERVAL_NS (500 * CLOCK_MS)
#define WIPE	    "\r\033[K"

void progress_begin(struct progress *progress, bool shown, uint64_t measure_ns, uint64_t end_ns)
{
	uint64_t now_ns = clock_now_ns();

	*progress = (struct progress){
		.shown = shown,
		.measure_ns = measure_ns,
		.end_ns = end_ns,
		.next_ns = now_ns + INTERVAL_NS,
		.last_ns = now_ns,
	};
}

uint64_t progress_next_ns(const struct progress *progress)
{
	return progress->shown ? progress->next_ns : CLOCK_NEVER;
}

void progress_show(struct progress *progress, const struct lane *lanes, uint32_t count,
	uint64_t now_ns)
{
	const char *phase = now_ns < progress->measure_ns ? "warm-up" : "measuring";
	uint64_t until_ns = now_ns < progress->measure_ns ? progress->measure_ns : progress->end_ns;
	uint64_t answered = 0;
	uint64_t failed = 0;
	unsigned in_flight = 0;

	if (!progress->shown || now_ns < progress->next_ns) {
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		answered += atomic_load_explicit(&lanes[i].shown_answered, memory_order_relaxed);
		failed += atomic_load_explicit(&lanes[i].shown_failed, memory_order_relaxed);
		in_flight += atomic_load_explicit(&lanes[i].shown_running, memory_order_relaxed);
	}
	if (now_ns >= progress->end_ns) {
		phase = "last answers";
		until_ns = now_ns;
	}
	fprintf(stderr, WIPE "%s, %.1f s left: %.0f answers/s, %u in flight, %llu failed", phase,
		(double)(until_ns - now_ns) / CLOCK_S,
		(double)(answered - progress->last_answered) * CLOCK_S /
			(double)(now_ns - progress->last_ns),
		in_flight, (unsigned long long)failed);
	progress->last_answered = answered;
	progress->last_ns = now_ns;
	progress->next_ns = now_ns + INTERVAL_NS;
}

void progress_end(struct progress *progress)
{
	if (progress->shown) {
		fputs(WIPE, stderr);
	}
}
