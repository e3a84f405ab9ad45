/* SPDX-License-Identifier: MIT */
/*
 * A lane: one thread that keeps up to thousands of requests in flight, with one epoll, the pacer's
 * schedule and its own tallies. It knows nothing of sockets and queues; a transport does the asking
 * (transport.h), launch.h says when, and lane_loop.h is the thread.
 *
 * A request is launched when it is due (open loop) or as soon as a slot is free (closed loop). It
 * ends by lane_end(), called by its transport, or when its timeout has passed since its launch,
 * whenever that is: the end of the run takes no answer from a server. In a closed loop the slot of
 * a request that failed rests for 10 ms, so that a refusing server is not stormed.
 *
 * All that is in here belongs to the lane's thread from lane_start() to lane_join(), except for
 * what is atomic, and while it waits at its gate.
 */
#ifndef RUPTIME_BENCH_LANE_H
#define RUPTIME_BENCH_LANE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "bench/line.h"
#include "bench/pacer.h"
#include "bench/plan.h"
#include "bench/tally.h"
#include "bench/target.h"
#include "bench/transport.h"
#include "common/tailq.h"

enum request_state {
	REQUEST_FREE,
	REQUEST_RESTING,	/* free, but not before REST_NS */
	REQUEST_RUNNING,
};

struct request {
	enum request_state state;
	uint32_t index;
	uint32_t generation;	/* of the slot's use: tells events of the last user from ours */
	unsigned endpoint;	/* the one of the target's that it goes to */
	bool again;		/* the transport could not begin it yet: is on the list of those */
	uint64_t free_ns;	/* since when the slot could have been used */
	uint64_t due_ns;
	uint64_t launched_ns;
	uint64_t sent_ns;	/* set at each try; a transport that sends later sets it anew */
	struct tally *tally;	/* of the phase it belongs to */
	TAILQ_ENTRY(request) link;	/* the list of its state; running: in order of launch */
	TAILQ_ENTRY(request) again_link;

	/* The transport's own. -1, -1, 0 and an empty answer when it begins. */
	int conn_fd;
	int line_fd;
	uint64_t ticket;
	bool waiting;		/* is on a list of the transport's */
	TAILQ_ENTRY(request) wait_link;
	bool status_seen;
	struct line line;	/* a short one's memory stays for the slot's next user */
};
TAILQ_HEAD(request_list, request);

/* What comes back from epoll: the descriptor's role, and the request it belongs to. */
#define LANE_TAG_ROLE_BITS  2
#define LANE_TAG_INDEX_BITS 30
#define LANE_TAG_STOP	    UINT64_MAX

/* What a lane may take. */
struct lane_share {
	uint32_t slots;		/* requests in flight */
	uint32_t fds;		/* descriptors for them */
};

struct gate;

struct lane {
	const struct plan *plan;
	const struct target *target;
	const struct transport *transport;
	void *state;		/* the transport's */
	unsigned number;
	int epoll_fd;
	struct gate *gate;	/* of all lanes. Borrowed. */
	int done_fd;		/* an eventfd: one more for each lane that is done. Borrowed. */

	struct request *requests;
	uint32_t slots;
	uint32_t fds;
	uint32_t running_count;
	struct request_list free;
	struct request_list resting;
	struct request_list running;
	struct request_list *again;	/* for each endpoint: in the order in which they were due */
	unsigned next_endpoint;

	struct pacer pacer;
	uint64_t start_ns;
	uint64_t measure_ns;	/* what is due earlier is warm-up */
	uint64_t end_ns;	/* what is due later is not sent; CLOCK_NEVER: not known yet */
	uint64_t window_ns;	/* good answers until then count for the throughput */
	uint64_t last_done_ns;	/* the last good answer, or the last end if there was none */
	bool any_answer;
	uint64_t left;		/* measured requests that may still be sent; UINT64_MAX: no limit */
	struct tally *warm;
	struct tally *measured;
	bool short_of_slots;	/* more were due than it can have in flight */
	uint64_t held_back_ns;	/* when one that was due last found no slot */
	int error;		/* errno of what kept it from working at all */

	/* For the live line: written here with relaxed order, read by main. */
	_Atomic uint64_t shown_answered;
	_Atomic uint64_t shown_failed;
	_Atomic uint32_t shown_running;

	pthread_t thread;
};

/*
 * Make LANE the NUMBER-th of PLAN->threads, with its SHARE. Borrows PLAN, TARGET, GATE and DONE_FD
 * until lane_fini(). Returns 0, or -1 with errno; lane_fini() in either case.
 */
int lane_init(struct lane *lane, const struct plan *plan, const struct target *target,
	unsigned number, struct lane_share share, struct gate *gate, int done_fd);
void lane_fini(struct lane *lane);

/*
 * LANE, which waits at its gate, is to begin at START_NS. A lane that passes the gate without it
 * sends nothing and ends.
 */
void lane_begin(struct lane *lane, uint64_t start_ns);

/* How long it measured, once lane_join() has returned. */
uint64_t lane_measured_ns(const struct lane *lane);

/* What follows is for transports, in the lane's thread. */

/* REQUEST, which is running, ended so at DONE_NS. Descriptors are the transport's to close. */
void lane_end(struct lane *lane, struct request *request, enum outcome outcome, uint64_t done_ns);

/* Have the transport's event() called for EVENTS on FD. Returns 0, or -1 with errno. */
int lane_watch(struct lane *lane, int fd, uint32_t events, const struct request *request,
	enum transport_role role);

/* The same for a descriptor of the transport's own, known by NUMBER instead of a request. */
int lane_watch_own(struct lane *lane, int fd, uint32_t events, uint32_t number);
void lane_rewatch_own(struct lane *lane, int fd, uint32_t events, uint32_t number);

/* Answers that belong to no running request. */
void lane_count_late(struct lane *lane);
void lane_count_duplicate(struct lane *lane);

#endif
