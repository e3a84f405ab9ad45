/* SPDX-License-Identifier: MIT */
#include "bench/samples.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"

struct samples {
	_Atomic uint64_t count;		/* of all, those that did not fit included */
	struct sample list[SAMPLES_MAX];	/* touched only as far as it is filled */
};

struct samples *samples_new(void)
{
	return calloc(1, sizeof(struct samples));
}

void samples_free(struct samples *samples)
{
	free(samples);
}

void samples_add(struct samples *samples, const struct sample *sample)
{
	/* Each takes a place of its own; the join of the threads publishes what is in it. */
	uint64_t place = atomic_fetch_add_explicit(&samples->count, 1, memory_order_relaxed);

	if (place < SAMPLES_MAX) {
		samples->list[place] = *sample;
	}
}

static size_t kept(const struct samples *samples)
{
	uint64_t count = atomic_load_explicit(&samples->count, memory_order_relaxed);

	return count < SAMPLES_MAX ? (size_t)count : SAMPLES_MAX;
}

uint64_t samples_left_out(const struct samples *samples)
{
	return atomic_load_explicit(&samples->count, memory_order_relaxed) - kept(samples);
}

static int compare_due(const void *a, const void *b)
{
	uint64_t left = ((const struct sample *)a)->due_ns;
	uint64_t right = ((const struct sample *)b)->due_ns;

	return (left > right) - (left < right);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)CLOCK_S;
}

int samples_write_csv(struct samples *samples, FILE *out)
{
	size_t count = kept(samples);
	uint64_t first_ns;

	qsort(samples->list, count, sizeof(samples->list[0]), compare_due);
	first_ns = count ? samples->list[0].due_ns : 0;
	fputs("side,due_s,sent_s,latency_us,outcome\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct sample *sample = &samples->list[i];

		fprintf(out, "%c,%.9f,%.9f,%.3f,%s\n", sample->side,
			seconds(sample->due_ns - first_ns), seconds(sample->sent_ns - first_ns),
			(double)(sample->done_ns - sample->due_ns) / (double)CLOCK_US,
			outcome_name(sample->outcome));
	}
	return ferror(out) ? -1 : 0;
}
