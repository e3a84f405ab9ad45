/* SPDX-License-Identifier: MIT */
#include "bench/ramp.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/progress.h"
#include "bench/quantity.h"
#include "bench/run.h"

#define RATE_MAX 1e8
#define ATTEMPTS 2
/* A last step that rounding has moved a little beyond the end still counts. */
#define SLACK	 1e-9

static int fail(int error)
{
	errno = error;
	return -1;
}

static int parse_part(const char **text, double *value)
{
	size_t len = strcspn(*text, ":");

	if (quantity_parse(*text, len, value) < 0 || *value <= 0 || *value > RATE_MAX) {
		return fail(EINVAL);
	}
	*text += len + ((*text)[len] == ':');
	return 0;
}

int ramp_parse(struct ramp_range *range, const char *text)
{
	if (parse_part(&text, &range->from_rps) < 0 || parse_part(&text, &range->to_rps) < 0 ||
	    parse_part(&text, &range->step_rps) < 0 || *text || range->to_rps < range->from_rps) {
		return fail(EINVAL);
	}
	return (range->to_rps - range->from_rps) / range->step_rps >= RAMP_STEPS_MAX ?
		fail(ERANGE) : 0;
}

unsigned ramp_steps(const struct ramp_range *range)
{
	return 1 + (unsigned)floor((range->to_rps - range->from_rps) / range->step_rps + SLACK);
}

/* Keep RESULT if it is the first, or if all up to it have kept up. Takes it. */
static void keep(struct ramp *ramp, struct result *kept, struct result *result)
{
	const struct rate_try *try = &ramp->tries[ramp->count - 1];
	bool at_knee = !ramp->reached && try->kept_up;

	ramp->reached = ramp->reached || !try->kept_up;
	if (at_knee) {
		ramp->knee_rps = try->rate_rps;
	}
	if (at_knee || ramp->count == 1) {
		result_fini(kept);
		*kept = *result;
	} else {
		result_fini(result);
	}
}

static void announce(const struct plan *plan, const struct ramp *ramp, double rate_rps)
{
	unsigned left = ramp_steps(&ramp->range) - ramp->count;

	progress_announce(plan->progress, left * (plan->warmup_ns + plan->duration_ns),
		"%.0f/s, step %u of %u", rate_rps, ramp->count + 1, ramp_steps(&ramp->range));
}

/* A rate at which the server fell behind is tried again, once: it may have been an accident. */
static int run_step(const struct plan *plan, const struct target *target, struct ramp *ramp,
	uint64_t idle_ns, struct result *kept)
{
	double rate_rps = ramp->range.from_rps + ramp->count * ramp->range.step_rps;
	struct rate_try *try = &ramp->tries[ramp->count];
	struct result result;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		announce(plan, ramp, rate_rps);
		if (rate_try_run(plan, target, rate_rps, &result, try) < 0) {
			return -1;
		}
		if (result.interrupted || try->kept_up || ramp->reached || i == ATTEMPTS - 1) {
			break;
		}
		result_fini(&result);
		if (rate_try_rest(plan, target, idle_ns) < 0) {
			return -1;
		}
	}
	if (result.interrupted) {
		result_fini(&result);
		return 0;
	}
	try->held = try->kept_up;
	ramp->count++;
	keep(ramp, kept, &result);
	return try->kept_up ? 0 : rate_try_rest(plan, target, idle_ns);
}

int ramp_run(const struct plan *plan, const struct target *target, const struct ramp_range *range,
	struct result *result, struct ramp *ramp)
{
	uint64_t idle_ns = 0;
	int failed = 0;

	memset(ramp, 0, sizeof(*ramp));
	ramp->range = *range;
	if (result_init(result, plan, target) < 0 || rate_try_idle(plan, target, &idle_ns) < 0) {
		failed = -1;
	}
	while (!failed && ramp->count < ramp_steps(range) && !run_is_stopped(plan)) {
		failed = run_step(plan, target, ramp, idle_ns, result);
	}
	if (failed) {
		result_fini(result);
		return -1;
	}
	ramp->interrupted = run_is_stopped(plan);
	result->interrupted |= ramp->interrupted;
	return 0;
}
