/* SPDX-License-Identifier: MIT */
#include "bench/find_max.h"

#include <math.h>
#include <string.h>

#include "bench/progress.h"
#include "bench/run.h"
#include "common/clock.h"

#define AGREE		   2
#define SPOILED_MAX	   4	/* tries at one rate, before it is taken for too high for us */
#define FIRST_STEP	   1.1
#define LAST_STEP	   2.0
#define CAPACITY_IN_FLIGHT 64u
#define RATE_MIN_RPS	   1.0
#define COLLAPSE	   0.9
#define TRIES_TO_BRACKET   6	/* about as many, for the time that is left */

struct search {
	const struct plan *plan;
	const struct target *target;
	struct find_max *find;
	struct result *result;	/* of the highest rate that held, or the last one */
	double result_rps;
	bool result_held;
	bool spoiled;		/* the last try, by the generator: it says nothing */
	bool own_limit;		/* HIGH is where tries were spoiled too often to go on */
	uint64_t idle_ns;
	double low;		/* holds; 0: none yet */
	double low_sustained;	/* what was really served there */
	double high;		/* fails; 0: none yet */
	double busy_sum;	/* of the throughput of the tries in which it fell behind ... */
	unsigned busy_count;	/* ... and how many there were */
};

/* Keep RESULT, a try's, if it is of the best rate so far. Takes it. */
static void keep(struct search *search, struct result *result, double rate_rps, bool held)
{
	bool same = search->result_held && held && rate_rps == search->result_rps;

	if (same) {
		result_merge(search->result, result);
		result_judge(search->result);
	} else if (!search->result_held || (held && rate_rps > search->result_rps)) {
		result_fini(search->result);
		*search->result = *result;
		search->result->runs = 1;
		search->result_rps = rate_rps;
		search->result_held = held;
		return;
	}
	result_fini(result);
}

static unsigned tries_left(const struct search *search)
{
	if (search->low <= 0 || search->high <= 0) {
		return TRIES_TO_BRACKET * AGREE + AGREE;
	}
	return AGREE * (unsigned)ceil(1 + log2(fmax(1, (search->high / search->low - 1) /
		(FIND_MAX_PRECISION - 1))));
}

static void announce(const struct search *search, double rate_rps)
{
	const struct plan *plan = search->plan;

	progress_announce(plan->progress,
		tries_left(search) * (plan->warmup_ns + plan->duration_ns), "try %u at %.0f/s",
		search->find->count + 1, rate_rps);
}

/* Returns 1 if it was completed, 0 if it was cut short and says nothing, -1 with errno. */
static int try_once(struct search *search, double rate_rps, struct rate_try *try)
{
	struct find_max *find = search->find;
	struct result result;

	announce(search, rate_rps);
	if (rate_try_run(search->plan, search->target, rate_rps, &result, try) < 0) {
		return -1;
	}
	if (result.interrupted) {
		result_fini(&result);
		return 0;
	}
	/* Our own lag makes latency longer, never shorter: what holds in spite of it, holds. */
	try->held = try->kept_up &&
		condition_judge(&find->condition, &result, NULL, NAN).state == CONDITION_TRUE;
	search->spoiled = !try->held && !try->valid;
	find->tries[find->count++] = *try;
	search->busy_sum += try->fell_behind ? try->throughput_rps : 0;
	search->busy_count += try->fell_behind;
	keep(search, &result, rate_rps, try->held);
	return rate_try_rest(search->plan, search->target, search->idle_ns) < 0 ? -1 : 1;
}

/* Behind a warm-up as long as answers take, as many come as are due, if the server can. */
static double steady_throughput_rps(const struct plan *plan, const struct rate_try *try)
{
	return (double)plan->warmup_ns >= try->p99_us * (double)CLOCK_US ? try->throughput_rps :
		try->rate_rps;
}

/*
 * Try RATE_RPS until AGREE tries say the same. Returns 1: it holds, with *SUSTAINED the mean of
 * what was served, 0: not, or there was no time to find out, -1: errno.
 */
static int holds(struct search *search, double rate_rps, double *sustained)
{
	unsigned votes[2] = { 0, 0 };
	unsigned spoiled = 0;
	double sum = 0;
	double most = 0;	/* that was answered in one of the tries */

	while (votes[0] < AGREE && votes[1] < AGREE && spoiled < SPOILED_MAX) {
		struct rate_try try;
		int done;

		if (search->find->count == FIND_MAX_TRIES || run_is_stopped(search->plan)) {
			return 0;
		}
		done = try_once(search, rate_rps, &try);
		if (done <= 0) {
			return done;
		}
		sum += try.held ? rate_try_sustained_rps(&try) : 0;
		most = try.held ? fmax(most, steady_throughput_rps(search->plan, &try)) : most;
		/* A try that the generator spoiled says nothing of the server. */
		votes[try.held] += !search->spoiled;
		spoiled += search->spoiled;
	}
	*sustained = votes[1] ? fmin(sum / votes[1], most) : 0;
	return votes[1] == AGREE;
}

/* Learn about RATE_RPS. Returns as holds() does. */
static int explore(struct search *search, double rate_rps)
{
	double sustained = 0;
	int verdict = holds(search, rate_rps, &sustained);

	if (verdict < 0 || run_is_stopped(search->plan)) {
		return verdict < 0 ? -1 : 0;
	}
	if (verdict) {
		search->low = rate_rps;
		search->low_sustained = sustained;
	} else {
		search->high = rate_rps;
		search->own_limit = search->spoiled;
	}
	return verdict;
}

/* Of a closed loop; by Little's law (in flight / latency) where no answer came within the try. */
static double loop_throughput_rps(const struct result *result, uint32_t in_flight)
{
	const struct histogram *latency = &result->measured->latency;

	return result->measured->in_window == 0 && latency->count > 0 ?
		in_flight / (histogram_mean_ns(latency) / CLOCK_S) : result_throughput_rps(result);
}

static int estimate_capacity(struct search *search, double *rate_rps)
{
	const struct plan *plan = search->plan;
	struct plan closed = *plan;
	uint32_t most = run_in_flight_max(plan, search->target);
	struct result result;

	closed.open_loop = false;
	if (closed.in_flight == 0) {
		closed.in_flight = CAPACITY_IN_FLIGHT < most ? CAPACITY_IN_FLIGHT : most;
	}
	if (closed.in_flight < closed.threads) {
		closed.in_flight = closed.threads;
	}
	progress_announce(plan->progress, tries_left(search) * (plan->warmup_ns +
		plan->duration_ns), "capacity");
	if (run(&closed, search->target, &result) < 0) {
		return -1;
	}
	*rate_rps = fmax(loop_throughput_rps(&result, closed.in_flight), RATE_MIN_RPS);
	result_fini(&result);
	return rate_try_rest(plan, search->target, search->idle_ns);
}

/* Step from START_RPS, ever wider, until both a rate that holds and one that fails are known. */
static int bracket(struct search *search, double start_rps)
{
	double rate_rps = start_rps;
	double step = FIRST_STEP;
	int verdict = explore(search, rate_rps);

	while (verdict >= 0 && (search->low <= 0 || search->high <= 0) &&
	       !run_is_stopped(search->plan) && search->find->count < FIND_MAX_TRIES) {
		if (search->low <= 0 && rate_rps <= RATE_MIN_RPS) {
			return 0;
		}
		rate_rps = search->low > 0 ? rate_rps * step : fmax(rate_rps / step, RATE_MIN_RPS);
		step = fmin(step * step, LAST_STEP);
		verdict = explore(search, rate_rps);
	}
	return verdict < 0 ? -1 : 0;
}

static int search_all(struct search *search)
{
	double capacity_rps;

	if (rate_try_idle(search->plan, search->target, &search->idle_ns) < 0 ||
	    estimate_capacity(search, &capacity_rps) < 0 || bracket(search, capacity_rps) < 0) {
		return -1;
	}
	while (search->low > 0 && search->high > search->low * FIND_MAX_PRECISION &&
	       !run_is_stopped(search->plan) && search->find->count < FIND_MAX_TRIES) {
		if (explore(search, (search->low + search->high) / 2) < 0) {
			return -1;
		}
	}
	return 0;
}

/*
 * What holds is no more than what the server does when it is busy all the time: a little above
 * that, luck decides what a try shows. A server that does much less when it is overloaded is
 * another case.
 */
static double found(const struct search *search)
{
	double busy = search->busy_count ? search->busy_sum / search->busy_count : 0;

	if (search->low <= 0) {
		return 0;
	}
	return busy > COLLAPSE * search->low_sustained ? fmin(busy, search->low_sustained) :
		search->low_sustained;
}

int find_max(const struct plan *plan, const struct target *target,
	const struct condition *condition, struct result *result, struct find_max *find)
{
	struct search search = {
		.plan = plan, .target = target, .find = find, .result = result,
	};

	memset(find, 0, sizeof(*find));
	find->condition = *condition;
	if (result_init(result, plan, target) < 0 || search_all(&search) < 0) {
		result_fini(result);
		return -1;
	}
	find->rate_rps = found(&search);
	find->fails_rps = search.high;
	find->own_limit = search.own_limit;
	find->interrupted = run_is_stopped(plan);
	result->interrupted |= find->interrupted;
	return 0;
}
