/* SPDX-License-Identifier: MIT */
#include "bench/lane_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "bench/gate.h"
#include "bench/launch.h"
#include "common/clock.h"
#include "common/compat.h"
#include "common/io.h"
#include "common/thread.h"

#define EVENTS_AT_ONCE 256
#define LINGER_NS      (50 * CLOCK_MS)	/* for the last duplicates of datagrams */

static void give_up(struct lane *lane, struct request *request, uint64_t now_ns)
{
	lane->transport->abandon(lane, request);
	lane_end(lane, request, OUTCOME_LOST, now_ns);
}

static void expire(struct lane *lane, uint64_t now_ns)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&lane->running)) != NULL &&
	       now_ns - request->launched_ns >= lane->plan->timeout_ns) {
		give_up(lane, request, now_ns);
	}
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

static uint64_t next_wake_ns(const struct lane *lane, uint64_t now_ns)
{
	uint64_t wake_ns = launch_next_ns(lane, now_ns);

	if (!TAILQ_EMPTY(&lane->running)) {
		wake_ns = earlier(wake_ns, TAILQ_FIRST(&lane->running)->launched_ns +
			lane->plan->timeout_ns);
	}
	return wake_ns;
}

/* Measure no longer. What is in flight is waited for: it is not lost because the run ends. */
static void stop(struct lane *lane)
{
	uint64_t now_ns = clock_now_ns();

	lane->end_ns = earlier(lane->end_ns, now_ns);
	if (lane->left > 0) {
		lane->window_ns = earlier(lane->window_ns, now_ns);
	}
	epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, lane->plan->stop_fd, NULL);
}

static void dispatch(struct lane *lane, const struct epoll_event *event)
{
	uint64_t tag = event->data.u64;
	enum transport_role role = (enum transport_role)(tag & ((1u << LANE_TAG_ROLE_BITS) - 1));
	uint32_t index = (uint32_t)(tag >> LANE_TAG_ROLE_BITS) & ((1u << LANE_TAG_INDEX_BITS) - 1);
	struct request *request;

	if (tag == LANE_TAG_STOP) {
		stop(lane);
		return;
	}
	if (role == TRANSPORT_OWN) {
		lane->transport->own_event(lane, index, event->events);
		return;
	}
	request = &lane->requests[index];
	/* An event fetched along with the one that ended its request is about no request. */
	if (request->generation == (uint32_t)(tag >> (LANE_TAG_ROLE_BITS + LANE_TAG_INDEX_BITS))) {
		lane->transport->event(lane, request, role, event->events);
	}
}

/* Returns how many EVENTS there are; 0 after TIMEOUT. */
static int await_events(const struct lane *lane, struct epoll_event *events, int max,
	const struct timespec *timeout)
{
	struct pollfd ready = { .fd = lane->epoll_fd, .events = POLLIN };
	int count = epoll_pwait2(lane->epoll_fd, events, max, timeout, NULL);

	/* Linux before 5.11: two calls then, since one of milliseconds alone is too coarse. */
	if (count < 0 && errno == ENOSYS) {
		ppoll(&ready, 1, timeout, NULL);
		count = epoll_wait(lane->epoll_fd, events, max, 0);
	}
	return count;
}

static void turn(struct lane *lane, uint64_t now_ns)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct timespec timeout;
	uint64_t wake_ns;
	int count;

	expire(lane, now_ns);
	launch_again(lane);
	launch_due(lane, now_ns);
	if (lane->transport->flush) {
		lane->transport->flush(lane);
	}
	now_ns = clock_now_ns();
	wake_ns = next_wake_ns(lane, now_ns);
	/*
	 * When nothing is to come, because the last has just ended, there is nothing to wait for.
	 */
	timeout = clock_timespec(wake_ns == CLOCK_NEVER || wake_ns < now_ns ? 0 : wake_ns - now_ns);
	count = await_events(lane, events, EVENTS_AT_ONCE, &timeout);
	for (int i = 0; i < count; i++) {
		dispatch(lane, &events[i]);
	}
	atomic_store_explicit(&lane->shown_running, lane->running_count, memory_order_relaxed);
}

/* The last duplicates of datagrams may still be under way. */
static void linger(struct lane *lane)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t linger_ns = now_ns + (lane->target->socktype == SOCK_DGRAM ? LINGER_NS : 0);

	while (now_ns < linger_ns) {
		struct epoll_event event;
		struct timespec timeout = clock_timespec(linger_ns - now_ns);

		if (await_events(lane, &event, 1, &timeout) == 1) {
			dispatch(lane, &event);
		}
		now_ns = clock_now_ns();
	}
}

static void run_lane(struct lane *lane)
{
	uint64_t now_ns = clock_now_ns();

	while (!launch_is_over(lane, now_ns)) {
		turn(lane, now_ns);
		now_ns = clock_now_ns();
	}
	launch_count_unsent(lane);
	while (!TAILQ_EMPTY(&lane->running)) {
		turn(lane, clock_now_ns());
	}
	linger(lane);
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	char name[16];

	snprintf(name, sizeof(name), "lane-%u", lane->number);
	pthread_setname_np(pthread_self(), name);
	/* Timers of this thread fire within a microsecond, not within the usual fifty. */
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
	lane->error = lane->transport->open(lane) < 0 ? errno : 0;
	gate_pass(lane->gate);
	if (lane->error == 0) {
		run_lane(lane);
	}
	lane->transport->close(lane);
	io_event_set(lane->done_fd);
	return NULL;
}

int lane_start(struct lane *lane)
{
	sigset_t all;
	sigset_t before;
	int error;

	/* Signals are main's: what they interrupt here would be the measurement. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = thread_start(&lane->thread, lane_main, lane);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error ? -1 : 0;
}

void lane_join(struct lane *lane)
{
	pthread_join(lane->thread, NULL);
}
