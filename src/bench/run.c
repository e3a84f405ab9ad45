/* SPDX-License-Identifier: MIT */
#include "bench/run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/cpu_time.h"
#include "bench/lane.h"
#include "bench/progress.h"
#include "common/clock.h"
#include "common/io.h"

#define OPEN_LOOP_SLOTS	 32768u	/* of all lanes together, when the user sets no limit */
#define FDS_FOR_THE_REST 64u
#define START_AFTER_NS	 (5 * CLOCK_MS)	/* so that all lanes begin together */

struct running {
	const struct plan *plan;
	struct lane *lanes;
	uint32_t started;
	int done_fd;
	uint64_t done;
	uint64_t measure_ns;
	uint64_t end_ns;
	bool interrupted;
};

uint32_t run_in_flight_max(const struct plan *plan, const struct target *target)
{
	uint32_t fds_each = transport_for(target)->fds_per_request;
	uint32_t most = OPEN_LOOP_SLOTS;
	struct rlimit limit;

	if (fds_each > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < (rlim_t)most * fds_each + FDS_FOR_THE_REST) {
		most = limit.rlim_cur > FDS_FOR_THE_REST ?
			((uint32_t)limit.rlim_cur - FDS_FOR_THE_REST) / fds_each : 1;
	}
	return most < plan->threads ? plan->threads : most;
}

/* How many of TOTAL the NUMBER-th of COUNT gets. */
static uint32_t share_of(uint32_t total, uint32_t number, uint32_t count)
{
	return total / count + (number < total % count ? 1 : 0);
}

static int start_lanes(struct running *running, const struct target *target)
{
	const struct plan *plan = running->plan;
	uint32_t slots = plan->in_flight ? plan->in_flight : run_in_flight_max(plan, target);
	uint64_t start_ns = clock_now_ns() + START_AFTER_NS;

	running->measure_ns = start_ns + plan->warmup_ns;
	running->end_ns = running->measure_ns + plan->duration_ns;
	for (uint32_t i = 0; i < plan->threads; i++) {
		if (lane_init(&running->lanes[i], plan, target, i,
			share_of(slots, i, plan->threads), start_ns, running->done_fd) < 0) {
			lane_fini(&running->lanes[i]);
			return -1;
		}
		if (lane_start(&running->lanes[i]) < 0) {
			lane_fini(&running->lanes[i]);
			return -1;
		}
		running->started++;
	}
	return 0;
}

/* Wait until UNTIL_NS, all lanes are done or somebody wants an end: then returns false. */
static bool wait_until(struct running *running, struct progress *progress, uint64_t until_ns)
{
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

static void measure(struct running *running, struct result *result)
{
	const struct plan *plan = running->plan;
	struct progress progress;
	uint64_t server_before_ns = 0;
	uint64_t server_after_ns = 0;
	uint64_t own_before_ns;
	uint64_t from_ns;
	uint64_t to_ns;

	progress_begin(&progress, plan->progress, running->measure_ns, running->end_ns);
	wait_until(running, &progress, running->measure_ns);
	result->server_cpu_known = plan->server_pid > 0 &&
		cpu_time_of_tree(plan->server_pid, &server_before_ns) == 0;
	own_before_ns = cpu_time_own_ns();
	from_ns = clock_now_ns();
	if (!running->interrupted) {
		wait_until(running, &progress, running->end_ns);
	}
	to_ns = clock_now_ns();
	result->own_cpu_ns = cpu_time_own_ns() - own_before_ns;
	result->server_cpu_known = result->server_cpu_known &&
		cpu_time_of_tree(plan->server_pid, &server_after_ns) == 0;
	result->server_cpu_ns = server_after_ns - server_before_ns;
	/* An early end is the end of what was measured; the lanes keep to the plan otherwise. */
	result->duration_ns = running->interrupted ? to_ns - from_ns : plan->duration_ns;
	wait_until(running, &progress, CLOCK_NEVER);
	if (running->done < running->started) {
		wait_until(running, &progress, CLOCK_NEVER);
	}
	progress_end(&progress);
}

static int join_lanes(struct running *running, struct result *result)
{
	int error = 0;

	for (uint32_t i = 0; i < running->started; i++) {
		struct lane *lane = &running->lanes[i];

		lane_join(lane);
		tally_merge(result->measured, lane->measured);
		tally_merge(result->warm, lane->warm);
		result->short_of_slots |= lane->short_of_slots;
		error = lane->error ? lane->error : error;
		lane_fini(lane);
	}
	errno = error;
	return error ? -1 : 0;
}

int run(const struct plan *plan, const struct target *target, struct result *result)
{
	struct running running = { .plan = plan, .done_fd = io_event_open() };
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
	failed = start_lanes(&running, target);
	if (failed == 0) {
		measure(&running, result);
	}
	if (join_lanes(&running, result) < 0) {
		failed = -1;
	}
	kernel_drops_read(&after);
	kernel_drops_add(&result->drops, &before, &after);
	result->interrupted = running.interrupted;
	result_judge(result);
out:
	if (failed) {
		result_fini(result);
	}
	free(running.lanes);
	io_close(&running.done_fd);
	return failed;
}
