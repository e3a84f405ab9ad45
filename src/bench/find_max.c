/* SPDX-License-Identifier: MIT */
#include "bench/find_max.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "bench/run.h"

#define AGREE		   2
#define SPOILED_MAX	   4	/* tries at one rate, before it is taken for too high for us */
#define PRECISION	   1.05
#define START_SHARE	   4
#define CAPACITY_IN_FLIGHT 64u
#define RATE_MIN_RPS	   1.0
#define FAILED_SHARE_MAX   0.01

struct search {
	const struct plan *plan;
	const struct target *target;
	struct find_max *find;
	struct result *result;
	bool have_result;
	bool held_once;
	bool spoiled;		/* at the last rate that failed, the generator was at fault */
};

static bool is_stopped(const struct plan *plan)
{
	struct pollfd poll_fd = { .fd = plan->stop_fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

static bool is_good_enough(const struct tally *tally)
{
	double wanted = (double)(tally->sent + tally->unsent);

	return tally->sent > 0 &&
		(double)(tally_failed(tally) + tally->unsent) <= FAILED_SHARE_MAX * wanted;
}

/* Keep RESULT, a try's, unless a better one is there. Takes it. */
static void keep(struct search *search, struct result *result, bool held)
{
	if (search->have_result && (search->held_once && !held)) {
		result_fini(result);
		return;
	}
	if (search->have_result) {
		result_fini(search->result);
	}
	*search->result = *result;
	search->have_result = true;
	search->held_once |= held;
}

static int try_once(struct search *search, double rate_rps, bool *held)
{
	struct find_max *find = search->find;
	struct plan plan = *search->plan;
	struct find_max_try *try = &find->tries[find->count];
	const struct histogram *latency;
	struct result result;

	plan.open_loop = true;
	plan.rate_rps = rate_rps;
	if (run(&plan, search->target, &result) < 0) {
		return -1;
	}
	latency = &result.measured->latency;
	*try = (struct find_max_try){
		.rate_rps = rate_rps,
		.throughput_rps = result_throughput_rps(&result),
		.p50_us = (double)histogram_quantile_ns(latency, 0.5) / 1e3,
		.p99_us = (double)histogram_quantile_ns(latency, 0.99) / 1e3,
		.valid = !result.invalid[0],
	};
	/* Our own lag makes latency longer, never shorter: what holds in spite of it, holds. */
	try->held = is_good_enough(result.measured) &&
		condition_holds(&find->condition, &result, NULL);
	*held = try->held;
	search->spoiled = !try->held && !try->valid;
	find->count++;
	keep(search, &result, try->held);
	return 0;
}

/* Try RATE_RPS until AGREE tries say the same. Returns 1: it holds, 0: not, -1: errno. */
static int holds(struct search *search, double rate_rps)
{
	unsigned votes[2] = { 0, 0 };
	unsigned spoiled = 0;

	while (votes[0] < AGREE && votes[1] < AGREE && spoiled < SPOILED_MAX) {
		bool held;

		if (search->find->count == FIND_MAX_TRIES || is_stopped(search->plan)) {
			return 0;
		}
		if (try_once(search, rate_rps, &held) < 0) {
			return -1;
		}
		/* A try that we spoiled says nothing of the server. */
		votes[held] += !search->spoiled;
		spoiled += search->spoiled;
	}
	return votes[1] == AGREE;
}

static int estimate_capacity(const struct plan *plan, const struct target *target, double *rate_rps)
{
	struct plan closed = *plan;
	uint32_t most = run_in_flight_max(plan, target);
	struct result result;

	closed.open_loop = false;
	if (closed.in_flight == 0) {
		closed.in_flight = CAPACITY_IN_FLIGHT < most ? CAPACITY_IN_FLIGHT : most;
	}
	if (closed.in_flight < closed.threads) {
		closed.in_flight = closed.threads;
	}
	if (run(&closed, target, &result) < 0) {
		return -1;
	}
	*rate_rps = result_throughput_rps(&result);
	result_fini(&result);
	return 0;
}

/* Bracket the answer: *LOW holds (or is 0), *HIGH does not. */
static int bracket(struct search *search, double start_rps, double *low, double *high)
{
	double rate_rps = start_rps;
	int verdict = holds(search, rate_rps);
	bool up = verdict > 0;

	*low = 0;
	*high = 0;
	while (verdict >= 0) {
		if (verdict > 0) {
			*low = rate_rps;
		} else {
			*high = rate_rps;
		}
		if ((verdict > 0) != up || rate_rps <= RATE_MIN_RPS || is_stopped(search->plan)) {
			return 0;
		}
		rate_rps = up ? rate_rps * 2 : rate_rps / 2;
		if (rate_rps < RATE_MIN_RPS) {
			rate_rps = RATE_MIN_RPS;
		}
		verdict = holds(search, rate_rps);
	}
	return -1;
}

int find_max(const struct plan *plan, const struct target *target,
	const struct condition *condition, struct result *result, struct find_max *find)
{
	struct search search = {
		.plan = plan, .target = target, .find = find, .result = result,
	};
	double capacity_rps;
	double low;
	double high;

	memset(find, 0, sizeof(*find));
	find->condition = *condition;
	if (estimate_capacity(plan, target, &capacity_rps) < 0) {
		return -1;
	}
	if (capacity_rps < START_SHARE * RATE_MIN_RPS) {
		capacity_rps = START_SHARE * RATE_MIN_RPS;
	}
	if (bracket(&search, capacity_rps / START_SHARE, &low, &high) < 0) {
		goto fail;
	}
	while (low > 0 && high > low * PRECISION && !is_stopped(plan)) {
		double middle = (low + high) / 2;
		int verdict = holds(&search, middle);

		if (verdict < 0) {
			goto fail;
		}
		*(verdict ? &low : &high) = middle;
	}
	if (!search.have_result) {
		errno = EINTR;
		return -1;
	}
	find->rate_rps = low;
	find->own_limit = search.spoiled;
	return 0;
fail:
	if (search.have_result) {
		result_fini(result);
	}
	return -1;
}
