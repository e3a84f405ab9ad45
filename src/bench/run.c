/* SPDX-License-Identifier: MIT */
#include "bench/run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/cpu_time.h"
#include "bench/gate.h"
#include "bench/lane_loop.h"
#include "bench/progress.h"
#include "common/clock.h"
#include "common/io.h"

#define OPEN_LOOP_SLOTS	 32768u	/* of all lanes together, when the user sets no limit */
#define FDS_FOR_THE_REST 20u	/* standard ones, files, /proc, an event for each end */
#define FDS_EACH_THREAD	 2u
#define START_AFTER_NS	 (5 * CLOCK_MS)	/* so that all lanes are awake when they begin */

struct running {
	const struct plan *plan;
	struct lane *lanes;
	uint32_t made;
	uint32_t started;
	struct gate gate;
	int done_fd;
	uint64_t done;
	uint64_t measure_ns;
	uint64_t end_ns;
	bool interrupted;
};

static uint32_t fds_available(const struct plan *plan)
{
	uint32_t rest = FDS_FOR_THE_REST + plan->threads * FDS_EACH_THREAD;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT32_MAX) {
		return INT32_MAX;
	}
	return limit.rlim_cur > rest ? (uint32_t)limit.rlim_cur - rest : 0;
}

uint32_t run_in_flight_max(const struct plan *plan, const struct target *target)
{
	uint32_t fds_each = transport_for(target)->fds_per_request;
	uint32_t most = OPEN_LOOP_SLOTS;

	if (fds_each > 0 && fds_available(plan) / fds_each < most) {
		most = fds_available(plan) / fds_each;
	}
	return most;
}

bool run_is_stopped(const struct plan *plan)
{
	struct pollfd poll_fd = { .fd = plan->stop_fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

/* How many of TOTAL the NUMBER-th of COUNT gets. */
static uint32_t share_of(uint32_t total, uint32_t number, uint32_t count)
{
	return total / count + (number < total % count ? 1 : 0);
}

static int make_lanes(struct running *running, const struct target *target)
{
	const struct plan *plan = running->plan;
	uint32_t slots = plan->in_flight ? plan->in_flight : run_in_flight_max(plan, target);

	for (uint32_t i = 0; i < plan->threads; i++) {
		const struct lane_share share = {
			.slots = share_of(slots, i, plan->threads),
			.fds = fds_available(plan) / plan->threads,
		};

		running->made++;
		if (lane_init(&running->lanes[i], plan, target, i, share, &running->gate,
			running->done_fd) < 0) {
			return -1;
		}
	}
	return 0;
}

/* All at once, when the last one is set up. If not all can be started, those that were only end. */
static int start_lanes(struct running *running)
{
	const struct plan *plan = running->plan;
	uint64_t start_ns;
	int failed = 0;

	while (running->started < running->made && failed == 0) {
		failed = lane_start(&running->lanes[running->started]);
		running->started += failed == 0;
	}
	gate_await(&running->gate, running->started);
	start_ns = clock_now_ns() + START_AFTER_NS;
	running->measure_ns = start_ns + plan->warmup_ns;
	running->end_ns = plan->duration_ns ? running->measure_ns + plan->duration_ns :
		CLOCK_NEVER;
	for (uint32_t i = 0; i < running->started && failed == 0; i++) {
		lane_begin(&running->lanes[i], start_ns);
	}
	gate_open(&running->gate);
	return failed;
}

/* Wait until UNTIL_NS. Returns false when before that all lanes are done, or an end is wanted. */
static bool wait_until(struct running *running, uint64_t until_ns)
{
	struct progress *progress = running->plan->progress;

	while (running->done < running->started) {
		struct pollfd fds[2] = {
			{ .fd = running->done_fd, .events = POLLIN },
			{ .fd = running->interrupted ? -1 : running->plan->stop_fd,
			  .events = POLLIN },
		};
		uint64_t wake_ns = progress_next_ns(progress);
		uint64_t now_ns;

		poll(fds, 2, clock_poll_ms(wake_ns < until_ns ? wake_ns : until_ns));
		if (fds[0].revents) {
			uint64_t more;

			running->done += read(running->done_fd, &more, sizeof(more)) > 0 ? more : 0;
		}
		if (fds[1].revents) {
			running->interrupted = true;
			return false;
		}
		now_ns = clock_now_ns();
		progress_show(progress, running->lanes, running->started, now_ns);
		if (now_ns >= until_ns) {
			return true;
		}
	}
	return false;
}

/* Also when a counted run has sent all, there is no more to measure. */
static bool wait_for_window(struct running *running, uint64_t until_ns)
{
	return !running->interrupted && wait_until(running, until_ns);
}

static void read_server(const struct plan *plan, struct result *result, struct cpu_tree *tree)
{
	if (plan->server_pid > 0 && cpu_tree_read(tree, plan->server_pid) < 0) {
		result->server_cpu_why = "the process is gone";
	}
}

static void measure(struct running *running, struct result *result)
{
	const struct plan *plan = running->plan;
	struct cpu_tree before = { 0 };
	struct cpu_tree after = { 0 };
	uint64_t own_before_ns;

	progress_run(plan->progress, running->measure_ns, running->end_ns);
	wait_for_window(running, running->measure_ns);
	read_server(plan, result, &before);
	own_before_ns = cpu_time_own_ns();
	wait_for_window(running, running->end_ns);
	result->own_cpu_ns = cpu_time_own_ns() - own_before_ns;
	read_server(plan, result, &after);
	if (plan->server_pid > 0 && !result->server_cpu_why) {
		result->server_cpu_known = cpu_tree_used(&before, &after, &result->server_cpu_ns,
			&result->server_cpu_why) == 0;
	}
	cpu_tree_free(&before);
	cpu_tree_free(&after);
	while (running->done < running->started) {
		wait_until(running, CLOCK_NEVER);
	}
}

/* ERROR: errno of what kept them from being started, or 0. */
static int join_lanes(struct running *running, struct result *result, int error)
{
	for (uint32_t i = 0; i < running->started; i++) {
		struct lane *lane = &running->lanes[i];

		lane_join(lane);
		tally_merge(result->measured, lane->measured);
		tally_merge(result->warm, lane->warm);
		result->short_of_slots |= lane->short_of_slots;
		if (lane_measured_ns(lane) > result->duration_ns) {
			result->duration_ns = lane_measured_ns(lane);
		}
		error = lane->error ? lane->error : error;
	}
	for (uint32_t i = 0; i < running->made; i++) {
		lane_fini(&running->lanes[i]);
	}
	errno = error;
	return error ? -1 : 0;
}

int run(const struct plan *plan, const struct target *target, struct result *result)
{
	struct running running = {
		.plan = plan, .done_fd = io_event_open(), .gate = GATE_CLOSED,
	};
	struct kernel_drops before;
	struct kernel_drops after;
	int failed = -1;

	if (result_init(result, plan, target) < 0 || running.done_fd < 0) {
		goto out;
	}
	running.lanes = calloc(plan->threads, sizeof(*running.lanes));
	if (!running.lanes) {
		goto out;
	}
	kernel_drops_read(&before);
	failed = make_lanes(&running, target);
	if (failed == 0) {
		failed = start_lanes(&running);
	}
	if (failed == 0) {
		measure(&running, result);
	}
	failed = join_lanes(&running, result, failed ? errno : 0);
	kernel_drops_read(&after);
	kernel_drops_add(&result->drops, &before, &after);
	result->interrupted = running.interrupted;
out:
	if (failed) {
		result_fini(result);
	}
	free(running.lanes);
	io_close(&running.done_fd);
	return failed;
}
