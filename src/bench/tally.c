/* SPDX-License-Identifier: MIT */
#include "bench/tally.h"

#include <stdlib.h>

#include "common/clock.h"

#define BIN_MIN_NS (100 * CLOCK_MS)

struct tally *tally_new(uint64_t start_ns, uint64_t duration_ns)
{
	struct tally *tally = calloc(1, sizeof(*tally));
	uint64_t bin_ns = duration_ns / TALLY_BINS + 1;

	if (tally) {
		tally->start_ns = start_ns;
		/* Whole multiples of the least width read best along an axis. */
		tally->bin_ns = (bin_ns + BIN_MIN_NS - 1) / BIN_MIN_NS * BIN_MIN_NS;
	}
	return tally;
}

void tally_end(struct tally *tally, enum outcome outcome, uint64_t due_ns, uint64_t sent_ns,
	uint64_t done_ns)
{
	uint64_t latency_ns = done_ns - due_ns;
	uint64_t bin;

	tally->outcomes[outcome]++;
	if (outcome != OUTCOME_ANSWERED) {
		return;
	}
	histogram_add(&tally->latency, latency_ns);
	histogram_add(&tally->service, done_ns - sent_ns);
	bin = (done_ns - tally->start_ns) / tally->bin_ns;
	if (done_ns >= tally->start_ns && bin < TALLY_BINS) {
		tally->bins[bin].answered++;
		if (latency_ns > tally->bins[bin].worst_ns) {
			tally->bins[bin].worst_ns = latency_ns;
		}
	}
}

void tally_merge(struct tally *into, const struct tally *from)
{
	into->sent += from->sent;
	into->unsent += from->unsent;
	into->late += from->late;
	into->duplicate += from->duplicate;
	for (unsigned i = 0; i < OUTCOMES; i++) {
		into->outcomes[i] += from->outcomes[i];
	}
	histogram_merge(&into->latency, &from->latency);
	histogram_merge(&into->service, &from->service);
	histogram_merge(&into->send_lag, &from->send_lag);
	for (unsigned i = 0; i < TALLY_BINS; i++) {
		into->bins[i].answered += from->bins[i].answered;
		if (from->bins[i].worst_ns > into->bins[i].worst_ns) {
			into->bins[i].worst_ns = from->bins[i].worst_ns;
		}
	}
}

uint64_t tally_bad(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OUTCOMES; i++) {
		sum += outcome_is_bad((enum outcome)i) ? tally->outcomes[i] : 0;
	}
	return sum;
}

uint64_t tally_errors(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OUTCOMES; i++) {
		sum += outcome_is_error((enum outcome)i) ? tally->outcomes[i] : 0;
	}
	return sum;
}

uint64_t tally_failed(const struct tally *tally)
{
	return tally->sent - tally->outcomes[OUTCOME_ANSWERED];
}
