/* SPDX-License-Identifier: MIT */
#include "bench/launch.h"

#include "common/clock.h"

#define LAUNCHES_AT_ONCE 64u		/* so that answers never wait for long behind sending */
#define AGAIN_NS	 (200 * CLOCK_US)
#define LAST_NS		 (5 * CLOCK_MS)	/* for what was due just before the end */

/* A connection, a datagram or a message is tried; what finds no room waits at the line's end. */
static void begin(struct lane *lane, struct request *request)
{
	if (lane->transport->start(lane, request) == TRANSPORT_AGAIN) {
		request->again = true;
	}
}

static void begin_in_line(struct lane *lane, struct request *request)
{
	struct request_list *again = &lane->again[request->endpoint];

	request->again = false;
	if (TAILQ_EMPTY(again)) {
		begin(lane, request);
	} else {
		request->again = true;
	}
	if (request->again) {
		TAILQ_INSERT_TAIL(again, request, again_link);
	}
}

static void count_launch(struct lane *lane, const struct request *request, uint64_t lag_ns)
{
	request->tally->sent++;
	histogram_add(&request->tally->send_lag, lag_ns);
	if (request->tally == lane->measured && lane->left != UINT64_MAX && --lane->left == 0) {
		/* That was the last. Its answer, not the clock, ends the measuring. */
		lane->end_ns = request->launched_ns;
		lane->window_ns = CLOCK_NEVER;
	}
}

/*
 * Send the request that is due at DUE_NS (closed loop: CLOCK_NEVER, now). Its lag counts from when
 * it could have been sent: was it held back by the limit that the user has set, that is no fault of
 * the generator, and its latency tells.
 */
static void launch(struct lane *lane, uint64_t due_ns)
{
	struct request *request = TAILQ_FIRST(&lane->free);
	bool limited = lane->plan->in_flight > 0;
	uint64_t now_ns = clock_now_ns();
	uint64_t possible_ns = due_ns == CLOCK_NEVER ? lane->start_ns : due_ns;

	TAILQ_REMOVE(&lane->free, request, link);
	TAILQ_INSERT_TAIL(&lane->running, request, link);
	lane->running_count++;
	request->state = REQUEST_RUNNING;
	request->due_ns = due_ns == CLOCK_NEVER ? now_ns : due_ns;
	request->launched_ns = now_ns;
	request->sent_ns = now_ns;
	request->tally = request->due_ns < lane->measure_ns ? lane->warm : lane->measured;
	request->endpoint = lane->next_endpoint;
	lane->next_endpoint = (lane->next_endpoint + 1) % lane->target->count;
	request->conn_fd = -1;
	request->line_fd = -1;
	request->status_seen = false;
	request->line.len = 0;
	if (limited && request->free_ns > possible_ns) {
		possible_ns = request->free_ns;
	}
	count_launch(lane, request, now_ns - possible_ns);
	begin_in_line(lane, request);
}

static void launch_open(struct lane *lane, uint64_t now_ns)
{
	for (unsigned i = 0; i < LAUNCHES_AT_ONCE && lane->pacer.due_ns <= now_ns &&
	     lane->pacer.due_ns < lane->end_ns && lane->left > 0; i++) {
		if (TAILQ_EMPTY(&lane->free)) {
			lane->short_of_slots = true;
			lane->held_back_ns = now_ns;
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
	for (uint32_t i = 0; i < lane->slots && lane->left > 0 && !TAILQ_EMPTY(&lane->free);
	     i++) {
		launch(lane, CLOCK_NEVER);
	}
}

void launch_due(struct lane *lane, uint64_t now_ns)
{
	if (launch_is_over(lane, now_ns)) {
		return;
	}
	if (lane->plan->open_loop) {
		launch_open(lane, now_ns);
	} else if (now_ns >= lane->start_ns) {
		launch_closed(lane, now_ns);
	}
}

void launch_again(struct lane *lane)
{
	for (unsigned i = 0; i < lane->target->count; i++) {
		struct request_list *again = &lane->again[i];
		struct request *request;

		while ((request = TAILQ_FIRST(again)) != NULL) {
			TAILQ_REMOVE(again, request, again_link);
			request->again = false;
			request->sent_ns = clock_now_ns();
			begin(lane, request);
			if (request->again) {
				/* Still full: the others behind it would fare no better. */
				TAILQ_INSERT_HEAD(again, request, again_link);
				break;
			}
		}
	}
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

uint64_t launch_next_ns(const struct lane *lane, uint64_t now_ns)
{
	uint64_t wake_ns = CLOCK_NEVER;

	for (unsigned i = 0; i < lane->target->count; i++) {
		if (!TAILQ_EMPTY(&lane->again[i])) {
			wake_ns = now_ns + AGAIN_NS;
		}
	}
	if (launch_is_over(lane, now_ns)) {
		return wake_ns;
	}
	if (now_ns < lane->start_ns) {
		return earlier(wake_ns, lane->start_ns);
	}
	if (!lane->plan->open_loop && !TAILQ_EMPTY(&lane->free)) {
		return now_ns;
	}
	if (lane->plan->open_loop && !TAILQ_EMPTY(&lane->free)) {
		wake_ns = earlier(wake_ns, lane->pacer.due_ns);
	}
	if (!TAILQ_EMPTY(&lane->resting)) {
		wake_ns = earlier(wake_ns, TAILQ_FIRST(&lane->resting)->free_ns);
	}
	/* Then it is over, which is to be seen. */
	return earlier(wake_ns, now_ns < lane->end_ns ? lane->end_ns : lane->end_ns + LAST_NS);
}

bool launch_is_over(const struct lane *lane, uint64_t now_ns)
{
	if (now_ns < lane->end_ns || lane->left == 0) {
		return lane->left == 0;
	}
	return !lane->plan->open_loop || lane->pacer.due_ns >= lane->end_ns ||
		now_ns - lane->end_ns >= LAST_NS;
}

void launch_count_unsent(struct lane *lane)
{
	/* All slots were taken when the next one was due. */
	bool held_back = lane->held_back_ns >= lane->pacer.due_ns;
	uint64_t count;

	if (!lane->plan->open_loop || lane->left == 0) {
		return;
	}
	lane->warm->unsent += pacer_skip(&lane->pacer, earlier(lane->measure_ns, lane->end_ns));
	count = pacer_skip(&lane->pacer, lane->end_ns);
	lane->measured->unsent += count;
	lane->measured->unsent_own += held_back ? 0 : count;
}
