/* SPDX-License-Identifier: MIT */
#include "bench/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* A lag below this is what timers and schedulers do. */
#define LAG_FLOOR_NS (1 * CLOCK_MS)
/* Above it, the lag may be a tenth of what is measured. */
#define LAG_SHARE    10
/* So many late ones are no accident, whatever their share. */
#define LATE_MIN     3
/* What ruptimed does to a source of datagrams, and how much of it must be seen. */
#define LIMIT_RPS	 50.0
#define LIMIT_LEAK	 8
#define LIMIT_LOST_SHARE 0.05
#define LIMIT_TOLERANCE	 0.25
/* Figures that differ by less are the same to a reader. */
#define SAME_SHARE   0.01
/* Of its threads' time: a generator that is as busy may be what limits a closed loop. */
#define BUSY_SHARE   0.9

int result_init(struct result *result, const struct plan *plan, const struct target *target)
{
	*result = (struct result){
		.plan = *plan,
		.target = target,
		.measured = tally_new(plan->duration_ns),
		.warm = tally_new(plan->warmup_ns),
	};
	return result->measured && result->warm ? 0 : -1;
}

void result_fini(struct result *result)
{
	free(result->measured);
	free(result->warm);
	result->measured = NULL;
	result->warm = NULL;
}

void result_merge(struct result *into, const struct result *from)
{
	static const struct kernel_drops none;

	into->duration_ns += from->duration_ns;
	tally_merge(into->measured, from->measured);
	tally_merge(into->warm, from->warm);
	into->own_cpu_ns += from->own_cpu_ns;
	into->server_cpu_ns += from->server_cpu_ns;
	into->server_cpu_known = from->server_cpu_known &&
		(into->server_cpu_known || into->runs == 0);
	if (from->server_cpu_why) {
		into->server_cpu_why = from->server_cpu_why;
	}
	kernel_drops_add(&into->drops, &none, &from->drops);
	into->short_of_slots |= from->short_of_slots;
	into->interrupted |= from->interrupted;
	into->runs++;
}

static uint64_t own_faults(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OUTCOMES; i++) {
		sum += outcome_is_own_fault((enum outcome)i) ? tally->outcomes[i] : 0;
	}
	return sum;
}

static void judge_lag(struct result *result)
{
	const struct tally *tally = result->measured;
	uint64_t due = tally->sent + tally->unsent_own;
	uint64_t bound_ns = histogram_quantile_ns(&tally->latency, 0.99) / LAG_SHARE;
	uint64_t late;

	if (bound_ns < LAG_FLOOR_NS) {
		bound_ns = LAG_FLOOR_NS;
	}
	late = histogram_count_above(&tally->send_lag, bound_ns) + tally->unsent_own;
	if (late >= LATE_MIN && late > due / 100) {
		snprintf(result->invalid, sizeof(result->invalid),
			"the generator sent %llu of %llu requests late, by more than the %.1f ms "
			"that are tolerable here, or never; 1 in 100 may be late",
			(unsigned long long)late, (unsigned long long)due,
			(double)bound_ns / CLOCK_MS);
	}
}

void result_judge(struct result *result)
{
	const struct tally *tally = result->measured;

	result->invalid[0] = '\0';
	if (own_faults(tally) > 0) {
		snprintf(result->invalid, sizeof(result->invalid),
			"the generator ran out of ports, descriptors or memory %llu times",
			(unsigned long long)own_faults(tally));
	} else if (result->plan.open_loop && result->plan.in_flight == 0 &&
		   result->short_of_slots) {
		snprintf(result->invalid, sizeof(result->invalid),
			"the generator could not keep as many requests in flight as were due");
	} else if (result->plan.open_loop) {
		judge_lag(result);
	}
}

double result_throughput_rps(const struct result *result)
{
	return result->duration_ns ? (double)result->measured->in_window * (double)CLOCK_S /
		(double)result->duration_ns : 0;
}

static bool differ(uint64_t a_ns, uint64_t b_ns)
{
	return (double)a_ns > (double)b_ns * (1 + SAME_SHARE) + (double)CLOCK_US;
}

bool result_is_corrected(const struct result *result)
{
	const struct tally *tally = result->measured;

	return differ(tally->latency.max_ns, tally->service.max_ns) ||
		differ(histogram_quantile_ns(&tally->latency, 0.5),
			histogram_quantile_ns(&tally->service, 0.5)) ||
		differ(histogram_quantile_ns(&tally->latency, 0.99),
			histogram_quantile_ns(&tally->service, 0.99));
}

static double us_each(uint64_t time_ns, uint64_t count)
{
	return count ? (double)time_ns / (double)CLOCK_US / (double)count : 0;
}

double result_own_cpu_us_per_request(const struct result *result)
{
	return us_each(result->own_cpu_ns, result->measured->sent);
}

double result_server_cpu_us_per_reply(const struct result *result)
{
	return us_each(result->server_cpu_ns, result->measured->in_window);
}

double result_own_cpu_share(const struct result *result)
{
	return result->duration_ns ? (double)result->own_cpu_ns / (double)result->duration_ns : 0;
}

static bool is_busy(const struct result *result)
{
	return result_own_cpu_share(result) > BUSY_SHARE * result->plan.threads;
}

/*
 * Does it look as if ruptimed's limit for each source of datagrams had answered (doc/security.md)?
 * It lets 50 a second through, and of the others one in eight.
 */
static bool is_limited_by_ruptimed(const struct result *result)
{
	const struct target *target = result->target;
	const struct tally *tally = result->measured;
	double asked_rps = result->duration_ns ? (double)tally->sent * (double)CLOCK_S /
		(double)result->duration_ns : 0;
	double expected_rps = LIMIT_RPS + fmax(asked_rps - LIMIT_RPS, 0) / LIMIT_LEAK;

	return target->address.scheme == ADDRESS_UDP && target->count == 1 &&
		!target->endpoints[0].loopback &&
		(double)tally->outcomes[OUTCOME_LOST] > LIMIT_LOST_SHARE * (double)tally->sent &&
		fabs(result_throughput_rps(result) - expected_rps) <
		LIMIT_TOLERANCE * expected_rps;
}

const char *result_note(const struct result *result, unsigned i)
{
	const struct plan *plan = &result->plan;
	const struct tally *tally = result->measured;
	const char *notes[5];
	unsigned count = 0;

	if (!plan->open_loop && plan->in_flight == 1) {
		notes[count++] = "A closed loop of one cannot see stalls: while the server stalls "
			"it waits too, so that each stall is a single slow answer. Measure latency "
			"with -r.";
	} else if (!plan->open_loop) {
		notes[count++] = "A closed loop cannot see stalls as users do: while the server "
			"stalls, it asks less. Take the throughput from here and the latency from "
			"an open loop (-r).";
	}
	if (!plan->open_loop && is_busy(result)) {
		notes[count++] = "The generator was busy all the time: the throughput may be its "
			"own limit, not the server's. Try more threads (-t).";
	}
	if (tally->unsent > 0) {
		notes[count++] = tally->unsent_own < tally->unsent ?
			"The limit in flight held requests back until the end; they are "
			"counted as unsent and their latency is missing." :
			"The generator had no time to send all that was due; what is missing is "
			"counted as unsent.";
	}
	if (is_limited_by_ruptimed(result)) {
		notes[count++] = "About 50 answers a second, and one in eight of the others: so "
			"ruptimed limits each source of datagrams that is not on its own host. "
			"Measure on that host, over TCP, or with another --rate there.";
	}
	if (result->interrupted) {
		notes[count++] = "Interrupted: the figures are of the time until then.";
	}
	return i < count ? notes[i] : NULL;
}
