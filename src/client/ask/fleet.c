/* SPDX-License-Identifier: MIT */
/*
 * A slot for each host that is being asked. Events name their slot by number and generation, since
 * a slot may have been freed, and taken again, by an event that came before in the same batch.
 *
 * A name that is to be looked up waits until the resolver has room, so that the time of its first
 * try does not begin while others are being looked up; those that need no look-up overtake it.
 */
#include "client/ask/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "client/ask/backlog.h"
#include "client/ask/fd_limit.h"
#include "client/ask/gate.h"
#include "client/ask/host.h"
#include "client/ask/timers.h"
#include "client/ask/udp_pool.h"
#include "common/io.h"
#include "common/resolve.h"

#define EVENTS 256

/* Requests that a host is sent in a round, about: a try, and its repetition. */
#define ROUND_REQUESTS 2

/* Threads that look names up. */
#define LOOK_UPS_MAX 16

/* Tags of epoll that are no slots; generations begin at 1. */
#define TAG_RESOLVER 0
#define TAG_UDP	     1

/* When the kernel takes no more datagrams. */
#define FLUSH_REST_NS CLOCK_MS

struct slot {
	struct timer timer;		/* first: a pointer to it is one to the whole */
	struct gate_pass pass;
	uint32_t generation;		/* of its use */
	bool used;
	size_t at;			/* the target */
	unsigned watched;
	int fds[TRANSPORT_WATCHED_MAX];
	struct host host;
};

struct fleet {
	struct fleet_options options;
	int epoll_fd;
	struct host_common common;
	struct gate gate;
	struct timers timers;
	struct slot *slots;
	uint32_t slot_count;
	uint32_t *unused;		/* numbers of slots, a stack */
	uint32_t unused_count;
	struct backlog named;		/* targets that wait for the resolver */
	const struct targets *targets;
	size_t next;			/* target to begin with */
	bool *has_nonces;		/* of each target, with ONCE; else NULL */
	fleet_done_fn *done;
	void *context;
	uint64_t now_ns;		/* of this step */
	uint64_t wake_ns;
	int shortage;
	struct ask_outcome outcome;
};

static uint64_t tag_of(const struct fleet *fleet, const struct slot *slot)
{
	return (uint64_t)slot->generation << 32 | (uint64_t)(slot - fleet->slots);
}

/* The slot that TAG names, or NULL if it is another one by now. */
static struct slot *find_slot(struct fleet *fleet, uint64_t tag)
{
	struct slot *slot = &fleet->slots[(uint32_t)tag];

	return slot->used && slot->generation == tag >> 32 ? slot : NULL;
}

static bool others_are_asked(void *context, int error)
{
	struct fleet *fleet = context;

	fleet->shortage = error;
	return fleet_active(fleet) > 1;
}

static void handle_udp(void *context, const struct udp_event *event);

static int watch_resolver(struct fleet *fleet)
{
	struct epoll_event readable = { .events = EPOLLIN, .data.u64 = TAG_RESOLVER };

	return epoll_ctl(fleet->epoll_fd, EPOLL_CTL_ADD, resolver_fd(fleet->common.resolver),
		&readable);
}

struct fleet *fleet_open(const struct fleet_options *options)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	unsigned possible = fd_limit_raise();

	if (!fleet) {
		return NULL;
	}
	fleet->options = *options;
	if (fleet->options.parallel > possible) {
		fleet->options.parallel = possible;
	}
	fleet->common.options = &fleet->options.ask;
	fleet->common.transport.pass_fd = options->pass_fd;
	fleet->common.transport.once = options->once;
	fleet->common.may_wait = others_are_asked;
	fleet->common.context = fleet;
	fleet->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fleet->common.resolver = resolver_start(options->ask.family, LOOK_UPS_MAX);
	fleet->common.transport.udp = udp_pool_open(fleet->epoll_fd, TAG_UDP,
		2 * (size_t)fleet->options.parallel, handle_udp, fleet);
	if (fleet->epoll_fd < 0 || !fleet->common.resolver || !fleet->common.transport.udp ||
	    watch_resolver(fleet) < 0) {
		int error = errno;

		fleet_close(fleet);
		errno = error;
		return NULL;
	}
	gate_init(&fleet->gate, options->interval_ns);
	return fleet;
}

static void free_slots(struct fleet *fleet)
{
	timers_fini(&fleet->timers);
	free(fleet->slots);
	free(fleet->unused);
	fleet->slots = NULL;
	fleet->unused = NULL;
	fleet->slot_count = 0;
	fleet->unused_count = 0;
}

void fleet_close(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->slot_count; i++) {
		if (fleet->slots[i].used) {
			host_end(&fleet->slots[i].host);
		}
	}
	free_slots(fleet);
	backlog_fini(&fleet->named);
	free(fleet->has_nonces);
	udp_pool_close(fleet->common.transport.udp);
	resolver_stop(fleet->common.resolver);
	io_close(&fleet->epoll_fd);
	free(fleet);
}

int fleet_begin(struct fleet *fleet, const struct targets *targets, fleet_done_fn *done,
	void *context)
{
	uint32_t count = targets->count < fleet->options.parallel ? (uint32_t)targets->count
								   : fleet->options.parallel;

	fleet->targets = targets;
	fleet->next = 0;
	fleet->done = done;
	fleet->context = context;
	fleet->wake_ns = 0;
	fleet->common.transport.asked += ROUND_REQUESTS;
	if (fleet->options.once && !fleet->has_nonces) {
		fleet->has_nonces = calloc(targets->count, sizeof(*fleet->has_nonces));
		if (!fleet->has_nonces) {
			return -1;
		}
	}
	if (count <= fleet->slot_count) {
		return 0;
	}
	free_slots(fleet);
	fleet->slots = calloc(count, sizeof(*fleet->slots));
	fleet->unused = calloc(count, sizeof(*fleet->unused));
	if (!fleet->slots || !fleet->unused || timers_init(&fleet->timers, count) < 0) {
		return -1;
	}
	fleet->slot_count = count;
	while (fleet->unused_count < count) {
		fleet->unused[fleet->unused_count] = count - 1 - fleet->unused_count;
		fleet->unused_count++;
	}
	return 0;
}

size_t fleet_active(const struct fleet *fleet)
{
	return fleet->slot_count - fleet->unused_count;
}

int fleet_fd(const struct fleet *fleet)
{
	return fleet->epoll_fd;
}

uint64_t fleet_wake_ns(const struct fleet *fleet)
{
	return fleet->wake_ns;
}

int fleet_shortage(const struct fleet *fleet)
{
	return fleet->shortage;
}

/* SLOT's host is done. */
static void finish(struct fleet *fleet, struct slot *slot, enum ask_status status)
{
	fleet->outcome.status = status;
	fleet->outcome.tries = slot->host.tries;
	timers_set(&fleet->timers, &slot->timer, CLOCK_NEVER);
	gate_return(&fleet->gate, &slot->pass);
	if (slot->host.looking_up) {
		fleet->common.look_ups--;
	}
	host_end(&slot->host);
	slot->used = false;
	fleet->unused[fleet->unused_count++] = (uint32_t)(slot - fleet->slots);
	fleet->done(fleet->context, slot->at, &fleet->outcome);
}

static bool was_watched(const struct slot *slot, int fd)
{
	for (unsigned i = 0; i < slot->watched; i++) {
		if (slot->fds[i] == fd) {
			return true;
		}
	}
	return false;
}

/*
 * Let epoll watch FD. A closed descriptor has left epoll, and its number may have come back since:
 * what is known of it is a guess.
 */
static int watch_fd(struct fleet *fleet, struct slot *slot, const struct pollfd *fd)
{
	struct epoll_event event = { .data.u64 = tag_of(fleet, slot) };
	int guess = was_watched(slot, fd->fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	event.events = (fd->events & POLLIN ? EPOLLIN : 0) | (fd->events & POLLOUT ? EPOLLOUT : 0);
	if (epoll_ctl(fleet->epoll_fd, guess, fd->fd, &event) == 0) {
		return 0;
	}
	if (errno != EEXIST && errno != ENOENT) {
		return -1;
	}
	return epoll_ctl(fleet->epoll_fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd->fd,
		&event);
}

/* Set the timer and the descriptors for what SLOT's host waits for. */
static int watch_slot(struct fleet *fleet, struct slot *slot)
{
	struct pollfd fds[TRANSPORT_WATCHED_MAX];
	uint64_t wake_ns = CLOCK_NEVER;
	unsigned count = host_watch(&slot->host, fds, &wake_ns);

	timers_set(&fleet->timers, &slot->timer, wake_ns);
	for (unsigned i = 0; i < count; i++) {
		if (watch_fd(fleet, slot, &fds[i]) < 0) {
			return -1;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		slot->fds[i] = fds[i].fd;
	}
	slot->watched = count;
	return 0;
}

static void step_slot(struct fleet *fleet, struct slot *slot)
{
	struct answer *answer = &fleet->outcome.answer;
	struct address address;
	struct address *needed = NULL;

	if (slot->host.phase != HOST_TRYING) {
		needed = &address;
		targets_address(fleet->targets, slot->at, needed);
	}
	switch (host_step(&slot->host, &fleet->common, needed, fleet->now_ns, answer)) {
	case HOST_ANSWERED:
		finish(fleet, slot, ASK_ANSWERED);
		break;
	case HOST_UNANSWERED:
		finish(fleet, slot, ASK_UNANSWERED);
		break;
	case HOST_BROKEN:
		finish(fleet, slot, ASK_BROKEN);
		break;
	default:
		if (watch_slot(fleet, slot) < 0) {
			transport_fail(answer, errno);
			finish(fleet, slot, ASK_BROKEN);
		}
	}
}

static void handle_udp(void *context, const struct udp_event *event)
{
	struct fleet *fleet = context;
	struct slot *slot = find_slot(fleet, transport_udp_owner(event));

	if (transport_udp_take(event, fleet->now_ns, &fleet->outcome.answer) ==
	    TRANSPORT_ANSWERED) {
		if (fleet->has_nonces && event->has_nonce) {
			fleet->has_nonces[slot->at] = true;
		}
		finish(fleet, slot, ASK_ANSWERED);
	} else if (!event->line) {
		timers_set(&fleet->timers, &slot->timer, fleet->now_ns);
	}
}

/* Ask target AT, with the ADDRESSES that nothing had to be looked up for, or NULL. */
static void begin(struct fleet *fleet, size_t at, const struct address *address,
	struct addrinfo *addresses)
{
	struct slot *slot = &fleet->slots[fleet->unused[--fleet->unused_count]];

	slot->used = true;
	slot->generation++;
	slot->at = at;
	slot->watched = 0;
	gate_pass(&fleet->gate, &slot->pass, fleet->now_ns);
	fleet->common.transport.has_nonces = fleet->has_nonces && fleet->has_nonces[at];
	if (host_begin(&slot->host, &fleet->common, address, addresses, tag_of(fleet, slot),
		    fleet->now_ns) < 0) {
		transport_fail(&fleet->outcome.answer, errno);
		finish(fleet, slot, ASK_BROKEN);
		return;
	}
	step_slot(fleet, slot);
}

/* Begin with the next target, or let its name wait. Returns 0, or -1 with errno. */
static int begin_next(struct fleet *fleet)
{
	struct addrinfo *addresses = NULL;
	struct address address;
	size_t at = fleet->next++;

	targets_address(fleet->targets, at, &address);
	if (resolve_at_once(&address, fleet->options.ask.family, &addresses) < 0) {
		return backlog_add(&fleet->named, at);
	}
	begin(fleet, at, &address, addresses);
	return 0;
}

static bool a_name_may_begin(const struct fleet *fleet)
{
	return !backlog_is_empty(&fleet->named) && fleet->common.look_ups < LOOK_UPS_MAX;
}

static int admit(struct fleet *fleet, uint64_t *wake_ns)
{
	while (fleet->unused_count > 0 &&
	       (a_name_may_begin(fleet) || fleet->next < fleet->targets->count) &&
	       gate_is_open(&fleet->gate, fleet->now_ns, wake_ns)) {
		if (a_name_may_begin(fleet)) {
			size_t at = backlog_take(&fleet->named);
			struct address address;

			targets_address(fleet->targets, at, &address);
			begin(fleet, at, &address, NULL);
		} else if (begin_next(fleet) < 0) {
			return -1;
		}
	}
	return 0;
}

static void take_names(struct fleet *fleet)
{
	struct resolver_result result;

	while (resolver_take(fleet->common.resolver, &result)) {
		struct slot *slot = find_slot(fleet, result.owner);

		if (!slot) {
			resolve_free(result.addresses);
			continue;
		}
		fleet->common.look_ups--;
		host_take_addresses(&slot->host, &result);
		step_slot(fleet, slot);
	}
}

static void handle_event(struct fleet *fleet, const struct epoll_event *event)
{
	uint64_t tag = event->data.u64;
	struct slot *slot;

	if (tag == TAG_RESOLVER) {
		take_names(fleet);
	} else if (tag < TAG_UDP + UDP_POOL_TAGS) {
		udp_pool_receive(fleet->common.transport.udp, tag, event->events);
	} else {
		slot = find_slot(fleet, tag);
		if (slot) {
			step_slot(fleet, slot);
		}
	}
}

static void handle_timers(struct fleet *fleet)
{
	struct timer *timer;

	while ((timer = timers_first(&fleet->timers)) && timer->due_ns <= fleet->now_ns) {
		step_slot(fleet, (struct slot *)timer);
	}
}

/* Begin what may begin, and find out when there is something to do next. */
static int prepare(struct fleet *fleet)
{
	const struct timer *first;

	fleet->wake_ns = CLOCK_NEVER;
	if (admit(fleet, &fleet->wake_ns) < 0) {
		return -1;
	}
	if (!udp_pool_flush(fleet->common.transport.udp)) {
		fleet->wake_ns = fleet->now_ns + FLUSH_REST_NS;
	}
	first = timers_first(&fleet->timers);
	if (first && fleet->wake_ns > first->due_ns) {
		fleet->wake_ns = first->due_ns;
	}
	return 0;
}

static bool is_done(const struct fleet *fleet)
{
	return !fleet_active(fleet) && fleet->next == fleet->targets->count &&
	       backlog_is_empty(&fleet->named);
}

int fleet_step(struct fleet *fleet, uint64_t until_ns, const sigset_t *mask)
{
	struct epoll_event events[EVENTS];
	uint64_t wake_ns = fleet->wake_ns < until_ns ? fleet->wake_ns : until_ns;
	int count = epoll_pwait(fleet->epoll_fd, events, EVENTS, clock_poll_ms(wake_ns), mask);

	if (count < 0 && errno != EINTR) {
		return -1;
	}
	fleet->now_ns = clock_now_ns();
	for (int i = 0; i < count; i++) {
		handle_event(fleet, &events[i]);
	}
	handle_timers(fleet);
	if (prepare(fleet) < 0) {
		return -1;
	}
	return !is_done(fleet);
}

void fleet_cancel(struct fleet *fleet, const char *why)
{
	answer_fail(&fleet->outcome.answer, why);
	for (uint32_t i = 0; i < fleet->slot_count; i++) {
		if (fleet->slots[i].used) {
			finish(fleet, &fleet->slots[i], ASK_UNANSWERED);
		}
	}
	fleet->outcome.status = ASK_UNANSWERED;
	fleet->outcome.tries = 0;
	while (!backlog_is_empty(&fleet->named)) {
		fleet->done(fleet->context, backlog_take(&fleet->named), &fleet->outcome);
	}
	while (fleet->next < fleet->targets->count) {
		fleet->done(fleet->context, fleet->next++, &fleet->outcome);
	}
}
