/* SPDX-License-Identifier: MIT */
#include "bench/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench/samples.h"
#include "bench/splitmix.h"
#include "common/clock.h"
#include "common/io.h"

#define REST_NS (10 * CLOCK_MS)

static uint64_t make_tag(uint32_t generation, uint32_t index, enum transport_role role)
{
	return (uint64_t)generation << (LANE_TAG_ROLE_BITS + LANE_TAG_INDEX_BITS) |
		(uint64_t)index << LANE_TAG_ROLE_BITS | (uint64_t)role;
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

/* A good answer to whatever request, be it one of the warm-up's, shows what the server can do. */
static void count_answer(struct lane *lane, const struct request *request, uint64_t done_ns)
{
	if (done_ns >= lane->measure_ns && done_ns < lane->window_ns) {
		tally_in_window(lane->measured, request->due_ns, done_ns);
	}
	lane->last_done_ns = done_ns;
	lane->any_answer = true;
}

/*
 * In a closed loop, a request of the warm-up that was in flight all the time that was measured has
 * kept its slot from asking anything else: it is what the measurement saw.
 */
static void claim_for_measured(struct lane *lane, struct request *request, uint64_t done_ns)
{
	if (!lane->plan->open_loop && request->tally == lane->warm && done_ns >= lane->window_ns &&
	    lane->window_ns > lane->measure_ns) {
		tally_take_over(lane->measured, lane->warm);
		request->tally = lane->measured;
	}
}

static void keep_sample(struct lane *lane, const struct request *request, enum outcome outcome,
	uint64_t done_ns)
{
	if (lane->plan->samples && request->tally == lane->measured) {
		samples_add(lane->plan->samples, &(struct sample){
			request->due_ns, request->sent_ns, done_ns, outcome, lane->plan->side });
	}
}

void lane_end(struct lane *lane, struct request *request, enum outcome outcome, uint64_t done_ns)
{
	bool failed = outcome != OUTCOME_ANSWERED;

	claim_for_measured(lane, request, done_ns);
	tally_end(request->tally, outcome, request->due_ns, request->sent_ns, done_ns);
	keep_sample(lane, request, outcome, done_ns);
	if (!failed) {
		count_answer(lane, request, done_ns);
	} else if (!lane->any_answer) {
		lane->last_done_ns = done_ns;
	}
	add_relaxed(failed ? &lane->shown_failed : &lane->shown_answered);
	if (request->again) {
		TAILQ_REMOVE(&lane->again[request->endpoint], request, again_link);
		request->again = false;
	}
	TAILQ_REMOVE(&lane->running, request, link);
	lane->running_count--;
	request->generation++;
	request->free_ns = done_ns;
	/* Thousands of slots take turns: none keeps what a long answer needed. */
	line_shrink(&request->line);
	if (failed && !lane->plan->open_loop) {
		request->state = REQUEST_RESTING;
		request->free_ns = done_ns + REST_NS;
		TAILQ_INSERT_TAIL(&lane->resting, request, link);
		return;
	}
	request->state = REQUEST_FREE;
	TAILQ_INSERT_TAIL(&lane->free, request, link);
}

static void make_slots(struct lane *lane)
{
	TAILQ_INIT(&lane->free);
	TAILQ_INIT(&lane->resting);
	TAILQ_INIT(&lane->running);
	for (unsigned i = 0; i < lane->target->count; i++) {
		TAILQ_INIT(&lane->again[i]);
	}
	for (uint32_t i = 0; i < lane->slots; i++) {
		struct request *request = &lane->requests[i];

		request->index = i;
		request->conn_fd = -1;
		request->line_fd = -1;
		TAILQ_INSERT_TAIL(&lane->free, request, link);
	}
}

/* How many of the measured requests this lane sends. */
static uint64_t share_of_requests(const struct plan *plan, unsigned number)
{
	return plan->requests / plan->threads + (number < plan->requests % plan->threads);
}

static void set_pacer(struct lane *lane)
{
	const struct plan *plan = lane->plan;
	double rate_rps = plan->rate_rps / plan->threads;
	uint64_t seed = lane->start_ns ^ (uint64_t)lane->number << 48;

	if (!plan->open_loop) {
		return;
	}
	if (plan->constant) {
		pacer_init_constant(&lane->pacer, rate_rps, lane->start_ns,
			(double)lane->number / plan->threads);
	} else if (plan->counted) {
		pacer_init_counted(&lane->pacer, rate_rps, lane->start_ns, splitmix_next(&seed),
			plan->warmup_ns, plan->duration_ns);
	} else {
		pacer_init_poisson(&lane->pacer, rate_rps, lane->start_ns, splitmix_next(&seed));
	}
}

void lane_begin(struct lane *lane, uint64_t start_ns)
{
	const struct plan *plan = lane->plan;

	lane->start_ns = start_ns;
	lane->measure_ns = start_ns + plan->warmup_ns;
	lane->end_ns = plan->duration_ns ? lane->measure_ns + plan->duration_ns : CLOCK_NEVER;
	lane->window_ns = lane->end_ns;
	lane->last_done_ns = lane->measure_ns;
	lane->left = plan->requests ? share_of_requests(plan, lane->number) : UINT64_MAX;
	lane->warm->start_ns = start_ns;
	lane->measured->start_ns = lane->measure_ns;
	set_pacer(lane);
}

int lane_init(struct lane *lane, const struct plan *plan, const struct target *target,
	unsigned number, struct lane_share share, struct gate *gate, int done_fd)
{
	*lane = (struct lane){
		.plan = plan,
		.target = target,
		.transport = transport_for(target),
		.number = number,
		.slots = share.slots,
		.fds = share.fds,
		.gate = gate,
		.done_fd = done_fd,
	};
	lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	lane->requests = calloc(share.slots, sizeof(*lane->requests));
	lane->again = calloc(target->count, sizeof(*lane->again));
	lane->warm = tally_new(plan->warmup_ns);
	lane->measured = tally_new(plan->duration_ns);
	if (lane->epoll_fd < 0 || !lane->requests || !lane->again || !lane->warm ||
	    !lane->measured || watch(lane, plan->stop_fd, EPOLLIN, LANE_TAG_STOP) < 0) {
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
	free(lane->again);
	free(lane->warm);
	free(lane->measured);
}

uint64_t lane_measured_ns(const struct lane *lane)
{
	uint64_t until_ns = lane->window_ns == CLOCK_NEVER ? lane->last_done_ns : lane->window_ns;

	return until_ns > lane->measure_ns ? until_ns - lane->measure_ns : 0;
}
