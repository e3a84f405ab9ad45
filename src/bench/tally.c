/* SPDX-License-Identifier: MIT */
#include "bench/tally.h"

#include <stdlib.h>

#include "common/clock.h"

#define BIN_MIN_NS (100 * CLOCK_MS)

struct tally *tally_new(uint64_t duration_ns)
{
	struct tally *tally = calloc(1, sizeof(*tally));
	uint64_t bin_ns = duration_ns / TALLY_BINS + 1;

	if (tally) {
		/* Whole multiples of the least width read best along an axis. */
		tally->bin_ns = (bin_ns + BIN_MIN_NS - 1) / BIN_MIN_NS * BIN_MIN_NS;
	}
	return tally;
}

static void add_to_trend(struct tally_trend *trend, double t, double l)
{
	trend->count++;
	trend->t += t;
	trend->tt += t * t;
	trend->l += l;
	trend->tl += t * l;
}

void tally_end(struct tally *tally, enum outcome outcome, uint64_t due_ns, uint64_t sent_ns,
	uint64_t done_ns)
{
	uint64_t latency_ns = done_ns - due_ns;

	tally->outcomes[outcome]++;
	if (outcome != OUTCOME_ANSWERED) {
		return;
	}
	histogram_add(&tally->latency, latency_ns);
	histogram_add(&tally->service, done_ns - sent_ns);
	add_to_trend(&tally->trend, ((double)due_ns - (double)tally->start_ns) / (double)CLOCK_S,
		(double)latency_ns / (double)CLOCK_S);
}

static void add_to_bin(struct tally_bin *bin, uint64_t answered, uint64_t worst_ns)
{
	bin->answered += answered;
	if (worst_ns > bin->worst_ns) {
		bin->worst_ns = worst_ns;
	}
}

/* Make each bin as wide as two. */
static void widen_bins(struct tally *tally)
{
	for (unsigned i = 0; i < TALLY_BINS; i++) {
		struct tally_bin bin = tally->bins[i];

		tally->bins[i] = (struct tally_bin){ 0 };
		add_to_bin(&tally->bins[i / 2], bin.answered, bin.worst_ns);
	}
	tally->bin_ns *= 2;
}

void tally_in_window(struct tally *tally, uint64_t due_ns, uint64_t done_ns)
{
	tally->in_window++;
	while ((done_ns - tally->start_ns) / tally->bin_ns >= TALLY_BINS) {
		widen_bins(tally);
	}
	add_to_bin(&tally->bins[(done_ns - tally->start_ns) / tally->bin_ns], 1, done_ns - due_ns);
}

void tally_take_over(struct tally *tally, struct tally *earlier)
{
	earlier->sent--;
	tally->sent++;
}

double tally_growth(const struct tally *tally)
{
	const struct tally_trend *trend = &tally->trend;
	double spread = trend->count * trend->tt - trend->t * trend->t;

	if (trend->count < 2 || spread <= 0) {
		return 0;
	}
	return (trend->count * trend->tl - trend->t * trend->l) / spread;
}

void tally_merge(struct tally *into, const struct tally *from)
{
	into->sent += from->sent;
	into->unsent += from->unsent;
	into->unsent_own += from->unsent_own;
	into->in_window += from->in_window;
	into->late += from->late;
	into->duplicate += from->duplicate;
	for (unsigned i = 0; i < OUTCOMES; i++) {
		into->outcomes[i] += from->outcomes[i];
	}
	histogram_merge(&into->latency, &from->latency);
	histogram_merge(&into->service, &from->service);
	histogram_merge(&into->send_lag, &from->send_lag);
	while (into->bin_ns < from->bin_ns) {
		widen_bins(into);
	}
	for (unsigned i = 0; i < TALLY_BINS; i++) {
		add_to_bin(&into->bins[i * from->bin_ns / into->bin_ns], from->bins[i].answered,
			from->bins[i].worst_ns);
	}
	into->trend.count += from->trend.count;
	into->trend.t += from->trend.t;
	into->trend.tt += from->trend.tt;
	into->trend.l += from->trend.l;
	into->trend.tl += from->trend.tl;
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
