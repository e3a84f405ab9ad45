/* SPDX-License-Identifier: MIT */
#include "bench/lane.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench/splitmix.h"
#include "common/clock.h"
#include "common/compat.h"
#include "common/io.h"
#include "common/thread.h"

#define EVENTS_AT_ONCE	 256
#define LAUNCHES_AT_ONCE 64		/* so that answers never wait for long behind sending */
#define REST_NS		 (10 * CLOCK_MS)
#define AGAIN_NS	 (200 * CLOCK_US)
#define LINGER_NS	 (50 * CLOCK_MS)	/* for the last duplicates of datagrams */

/* What comes back from epoll: the descriptor's role, and whose it is. */
#define TAG_ROLE_BITS  2
#define TAG_INDEX_BITS 30
#define TAG_STOP       UINT64_MAX

static uint64_t make_tag(uint32_t generation, uint32_t index, enum transport_role role)
{
	return (uint64_t)generation << (TAG_ROLE_BITS + TAG_INDEX_BITS) |
		(uint64_t)index << TAG_ROLE_BITS | (uint64_t)role;
}

static int watch(const struct lane *lane, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = { .events = events, .data.u64 = tag };

	return epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int lane_watch(struct lane *lane, int fd, uint32_t events, const struct request *request,
	enum transport_role role)
{
	return watch(lane, fd, events, make_tag(request->generation, request->index, role));
}

int lane_watch_own(struct lane *lane, int fd, uint32_t events, uint32_t number)
{
	return watch(lane, fd, events, make_tag(0, number, TRANSPORT_OWN));
}

void lane_rewatch_own(struct lane *lane, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = make_tag(0, number, TRANSPORT_OWN),
	};

	epoll_ctl(lane->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static struct tally *phase_of(const struct lane *lane, uint64_t at_ns)
{
	return at_ns < lane->measure_ns ? lane->warm : lane->measured;
}

void lane_count_late(struct lane *lane)
{
	phase_of(lane, clock_now_ns())->late++;
}

void lane_count_duplicate(struct lane *lane)
{
	phase_of(lane, clock_now_ns())->duplicate++;
}

static void add_relaxed(_Atomic uint64_t *counter)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	/* The only writer: no read-modify-write is needed. */
	atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

void lane_end(struct lane *lane, struct request *request, enum outcome outcome, uint64_t done_ns)
{
	bool failed = outcome != OUTCOME_ANSWERED;

	tally_end(request->tally, outcome, request->due_ns, request->sent_ns, done_ns);
	add_relaxed(failed ? &lane->shown_failed : &lane->shown_answered);
	if (request->again) {
		TAILQ_REMOVE(&lane->again, request, again_link);
		request->again = false;
	}
	TAILQ_REMOVE(&lane->running, request, link);
	lane->running_count--;
	request->generation++;
	request->free_ns = done_ns;
	if (failed && !lane->plan->open_loop) {
		request->state = REQUEST_RESTING;
		request->free_ns = done_ns + REST_NS;
		TAILQ_INSERT_TAIL(&lane->resting, request, link);
		return;
	}
	request->state = REQUEST_FREE;
	TAILQ_INSERT_TAIL(&lane->free, request, link);
}

static void begin(struct lane *lane, struct request *request)
{
	if (lane->transport->start(lane, request) == TRANSPORT_AGAIN) {
		request->again = true;
		TAILQ_INSERT_TAIL(&lane->again, request, again_link);
	}
}

/*
 * Send the request that is due at DUE_NS (closed loop: CLOCK_NEVER, now). Its lag counts from when
 * it could have been sent: was it held back by the limit that the user has set, that is no fault of
 * ours, and its latency tells.
 */
static void launch(struct lane *lane, uint64_t due_ns)
{
	struct request *request = TAILQ_FIRST(&lane->free);
	bool limited = lane->plan->in_flight > 0;
	uint64_t now_ns = clock_now_ns();
	uint64_t possible_ns;

	TAILQ_REMOVE(&lane->free, request, link);
	TAILQ_INSERT_TAIL(&lane->running, request, link);
	lane->running_count++;
	request->state = REQUEST_RUNNING;
	request->due_ns = due_ns == CLOCK_NEVER ? now_ns : due_ns;
	request->launched_ns = now_ns;
	request->sent_ns = now_ns;
	request->tally = phase_of(lane, request->due_ns);
	request->conn_fd = -1;
	request->line_fd = -1;
	request->status_seen = false;
	request->line.len = 0;
	possible_ns = due_ns == CLOCK_NEVER ? 0 : due_ns;
	if (limited && request->free_ns > possible_ns) {
		possible_ns = request->free_ns;
	}
	request->tally->sent++;
	histogram_add(&request->tally->send_lag, now_ns - possible_ns);
	begin(lane, request);
}

static void launch_open(struct lane *lane, uint64_t now_ns)
{
	for (unsigned i = 0; i < LAUNCHES_AT_ONCE && lane->pacer.due_ns <= now_ns &&
	     lane->pacer.due_ns < lane->end_ns; i++) {
		if (TAILQ_EMPTY(&lane->free)) {
			lane->short_of_slots = true;
			return;
		}
		launch(lane, lane->pacer.due_ns);
		pacer_step(&lane->pacer);
	}
}

static void launch_closed(struct lane *lane, uint64_t now_ns)
{
	while (!TAILQ_EMPTY(&lane->resting) && TAILQ_FIRST(&lane->resting)->free_ns <= now_ns) {
		struct request *request = TAILQ_FIRST(&lane->resting);

		TAILQ_REMOVE(&lane->resting, request, link);
		request->state = REQUEST_FREE;
		TAILQ_INSERT_TAIL(&lane->free, request, link);
	}
	/* What ends at once is free again at once: no more than one round of the slots. */
	for (uint32_t i = 0; i < lane->slots && now_ns < lane->end_ns &&
	     !TAILQ_EMPTY(&lane->free); i++) {
		launch(lane, CLOCK_NEVER);
	}
}

static void begin_again(struct lane *lane)
{
	struct request *last = TAILQ_LAST(&lane->again, request_list);
	struct request *request = NULL;

	while (last && request != last) {
		request = TAILQ_FIRST(&lane->again);
		TAILQ_REMOVE(&lane->again, request, again_link);
		request->again = false;
		begin(lane, request);
		if (request->again && request != last) {
			/* Still full, and in order: the others would fare no better. */
			break;
		}
	}
}

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
	uint64_t wake_ns = now_ns < lane->end_ns ? lane->end_ns : lane->stop_ns;

	if (now_ns < lane->start_ns) {
		return lane->start_ns;
	}
	if (lane->plan->open_loop) {
		if (lane->pacer.due_ns < lane->end_ns && !TAILQ_EMPTY(&lane->free)) {
			wake_ns = earlier(wake_ns, lane->pacer.due_ns);
		}
	} else if (!TAILQ_EMPTY(&lane->free) && now_ns < lane->end_ns) {
		return now_ns;
	}
	if (!TAILQ_EMPTY(&lane->resting) && now_ns < lane->end_ns) {
		wake_ns = earlier(wake_ns, TAILQ_FIRST(&lane->resting)->free_ns);
	}
	if (!TAILQ_EMPTY(&lane->running)) {
		wake_ns = earlier(wake_ns, TAILQ_FIRST(&lane->running)->launched_ns +
			lane->plan->timeout_ns);
	}
	if (!TAILQ_EMPTY(&lane->again)) {
		wake_ns = earlier(wake_ns, now_ns + AGAIN_NS);
	}
	return wake_ns;
}

static void dispatch(struct lane *lane, const struct epoll_event *event)
{
	uint64_t tag = event->data.u64;
	enum transport_role role = (enum transport_role)(tag & ((1u << TAG_ROLE_BITS) - 1));
	uint32_t index = (uint32_t)(tag >> TAG_ROLE_BITS) & ((1u << TAG_INDEX_BITS) - 1);
	struct request *request;

	if (tag == TAG_STOP) {
		uint64_t now_ns = clock_now_ns();

		lane->end_ns = earlier(lane->end_ns, now_ns);
		/* What is in flight may still be answered: it is not lost because we leave. */
		lane->stop_ns = earlier(lane->stop_ns, now_ns + lane->plan->timeout_ns);
		epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, lane->plan->stop_fd, NULL);
		return;
	}
	if (role == TRANSPORT_OWN) {
		lane->transport->own_event(lane, index, event->events);
		return;
	}
	request = &lane->requests[index];
	/* An event fetched along with the one that ended its request is about nobody. */
	if (request->generation == (uint32_t)(tag >> (TAG_ROLE_BITS + TAG_INDEX_BITS))) {
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

/* Nothing runs, and nothing more is due. */
static bool is_finished(const struct lane *lane, uint64_t now_ns)
{
	if (now_ns >= lane->stop_ns) {
		return true;
	}
	return now_ns >= lane->end_ns && TAILQ_EMPTY(&lane->running) &&
		(!lane->plan->open_loop || lane->pacer.due_ns >= lane->end_ns);
}

static void turn(struct lane *lane, uint64_t now_ns)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct timespec timeout;
	uint64_t wake_ns;
	int count;

	expire(lane, now_ns);
	begin_again(lane);
	if (lane->plan->open_loop) {
		launch_open(lane, now_ns);
	} else if (now_ns >= lane->start_ns) {
		launch_closed(lane, now_ns);
	}
	if (lane->transport->flush) {
		lane->transport->flush(lane);
	}
	now_ns = clock_now_ns();
	wake_ns = next_wake_ns(lane, now_ns);
	timeout = clock_timespec(wake_ns > now_ns ? wake_ns - now_ns : 0);
	count = await_events(lane, events, EVENTS_AT_ONCE, &timeout);
	for (int i = 0; i < count; i++) {
		dispatch(lane, &events[i]);
	}
	atomic_store_explicit(&lane->shown_running, lane->running_count, memory_order_relaxed);
}

/* What was due before the end and found no slot until the end of all waiting. */
static void count_unsent(struct lane *lane)
{
	while (lane->plan->open_loop && lane->pacer.due_ns < lane->end_ns) {
		phase_of(lane, lane->pacer.due_ns)->unsent++;
		pacer_step(&lane->pacer);
	}
}

static void run_lane(struct lane *lane)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t linger_ns;

	while (!is_finished(lane, now_ns)) {
		turn(lane, now_ns);
		now_ns = clock_now_ns();
	}
	count_unsent(lane);
	while (!TAILQ_EMPTY(&lane->running)) {
		give_up(lane, TAILQ_FIRST(&lane->running), now_ns);
	}
	linger_ns = now_ns + (lane->target->socktype == SOCK_DGRAM ? LINGER_NS : 0);
	while (now_ns < linger_ns) {
		struct epoll_event event;
		struct timespec timeout = clock_timespec(linger_ns - now_ns);

		if (await_events(lane, &event, 1, &timeout) == 1) {
			dispatch(lane, &event);
		}
		now_ns = clock_now_ns();
	}
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	char name[16];

	snprintf(name, sizeof(name), "lane-%u", lane->number);
	pthread_setname_np(pthread_self(), name);
	/* Timers of this thread fire within a microsecond, not within the usual fifty. */
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
	if (lane->transport->open(lane) < 0) {
		lane->error = errno;
	} else {
		run_lane(lane);
	}
	lane->transport->close(lane);
	io_event_set(lane->done_fd);
	return NULL;
}

static void make_slots(struct lane *lane)
{
	TAILQ_INIT(&lane->free);
	TAILQ_INIT(&lane->resting);
	TAILQ_INIT(&lane->running);
	TAILQ_INIT(&lane->again);
	for (uint32_t i = 0; i < lane->slots; i++) {
		struct request *request = &lane->requests[i];

		request->index = i;
		request->conn_fd = -1;
		request->line_fd = -1;
		request->free_ns = lane->start_ns;
		TAILQ_INSERT_TAIL(&lane->free, request, link);
	}
}

int lane_init(struct lane *lane, const struct plan *plan, const struct target *target,
	unsigned number, uint32_t slots, uint64_t start_ns, int done_fd)
{
	double rate_rps = plan->rate_rps / plan->threads;
	uint64_t seed = start_ns ^ (uint64_t)number << 48;

	*lane = (struct lane){
		.plan = plan,
		.target = target,
		.transport = transport_for(target),
		.number = number,
		.slots = slots,
		.start_ns = start_ns,
		.measure_ns = start_ns + plan->warmup_ns,
		.done_fd = done_fd,
	};
	lane->end_ns = lane->measure_ns + plan->duration_ns;
	lane->stop_ns = lane->end_ns + plan->timeout_ns;
	if (plan->open_loop && plan->constant) {
		pacer_init_constant(&lane->pacer, rate_rps, start_ns,
			(double)number / plan->threads);
	} else if (plan->open_loop) {
		pacer_init_poisson(&lane->pacer, rate_rps, start_ns, splitmix_next(&seed));
	}
	lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	lane->requests = calloc(slots, sizeof(*lane->requests));
	lane->warm = tally_new(start_ns, plan->warmup_ns);
	lane->measured = tally_new(lane->measure_ns, plan->duration_ns);
	if (lane->epoll_fd < 0 || !lane->requests || !lane->warm || !lane->measured ||
	    watch(lane, plan->stop_fd, EPOLLIN, TAG_STOP) < 0) {
		return -1;
	}
	make_slots(lane);
	return 0;
}

void lane_fini(struct lane *lane)
{
	io_close(&lane->epoll_fd);
	for (uint32_t i = 0; lane->requests && i < lane->slots; i++) {
		line_free(&lane->requests[i].line);
	}
	free(lane->requests);
	free(lane->warm);
	free(lane->measured);
}

int lane_start(struct lane *lane)
{
	int error = thread_start(&lane->thread, lane_main, lane);

	errno = error;
	return error ? -1 : 0;
}

void lane_join(struct lane *lane)
{
	pthread_join(lane->thread, NULL);
}
