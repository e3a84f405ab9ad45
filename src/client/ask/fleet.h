/* SPDX-License-Identifier: MIT */
/*
 * Ask any number of hosts, over any transports, from one thread: one loop around epoll, a heap of
 * timers, a gate that sets the pace, and memory and descriptors for what is being asked only.
 *
 * One thread at a time, but for look-ups of names, which have threads of their own.
 */
#ifndef RUPTIME_CLIENT_ASK_FLEET_H
#define RUPTIME_CLIENT_ASK_FLEET_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ask/ask.h"
#include "client/hosts/targets.h"

#define FLEET_PARALLEL_MAX 1000000

struct fleet_options {
	struct ask_options ask;
	unsigned parallel;	/* hosts at a time, at most; at least 1 */
	uint64_t interval_ns;	/* between two of them, at least */
	int pass_fd;		/* as in struct transport_common */
	bool once;		/* as there */
};

struct fleet;

/* The outcome for target AT, borrowed until it returns. Must not call the fleet's functions. */
typedef void fleet_done_fn(void *context, size_t at, const struct ask_outcome *outcome);

/* A fleet that asks as OPTIONS say, which are copied. Returns NULL with errno. */
struct fleet *fleet_open(const struct fleet_options *options);
void fleet_close(struct fleet *fleet);

/*
 * Begin to ask all TARGETS, the same in each round, which are borrowed until all are done; DONE is
 * called once for each.
 * Not while others are being asked. Returns 0, or -1 with errno.
 */
int fleet_begin(struct fleet *fleet, const struct targets *targets, fleet_done_fn *done,
	void *context);

/*
 * Wait until there is something to do, or the clock shows UNTIL_NS, and do it. Signals end the
 * wait; MASK, unless it is NULL, is the signal mask meanwhile.
 * Returns 1 as long as there are hosts to ask, 0 when all are done, or -1 with errno.
 */
int fleet_step(struct fleet *fleet, uint64_t until_ns, const sigset_t *mask);

/* For a loop that waits for other things, too: readable when there is something to do, ... */
int fleet_fd(const struct fleet *fleet);

/* ... or the moment when there is, at the latest. */
uint64_t fleet_wake_ns(const struct fleet *fleet);

/* How many hosts are being asked now. */
size_t fleet_active(const struct fleet *fleet);

/* End at once what is being asked: DONE is called with WHY for each host that is not done. */
void fleet_cancel(struct fleet *fleet, const char *why);

/* How often a descriptor, a buffer or a place in the neighbour table was lacking: errno, or 0. */
int fleet_shortage(const struct fleet *fleet);

#endif
