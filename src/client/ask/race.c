/* SPDX-License-Identifier: MIT */
#include "client/ask/race.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"

void race_start(struct race *race, const struct addrinfo *addresses, uint64_t deadline_ns)
{
	race->count = transport_order(addresses, race->order);
	race->begun = 0;
	race->running = 0;
	race->deadline_ns = deadline_ns;
	race->turn_ends_ns = 0;
	race->error = EADDRNOTAVAIL;
}

/*
 * See how an attempt goes: connect() called again tells how the first call ended. Returns 0 when
 * connected, EINPROGRESS, or what went wrong.
 *
 * A UNIX socket with a full backlog says EAGAIN and forgets that we were there.
 */
static int look(struct race_attempt *attempt, uint64_t now_ns)
{
	const struct addrinfo *address = attempt->address;

	attempt->knock_ns = CLOCK_NEVER;
	if (connect(attempt->conn_fd, address->ai_addr, address->ai_addrlen) == 0 ||
	    errno == EISCONN) {
		return 0;
	}
	if (errno == EAGAIN && address->ai_family == AF_UNIX) {
		attempt->knock_ns = transport_look_again_ns(attempt->began_ns, now_ns);
		return EINPROGRESS;
	}
	return errno == EALREADY || errno == EINTR ? EINPROGRESS : errno;
}

static int begin(struct race *race, uint64_t now_ns)
{
	const struct addrinfo *address = race->order[race->begun];
	struct race_attempt *attempt = &race->attempts[race->running];

	race->turn_ends_ns = transport_turn_ends_ns(race->count - race->begun, now_ns,
		race->deadline_ns);
	race->begun++;
	attempt->conn_fd = socket(address->ai_family,
		address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	if (attempt->conn_fd < 0) {
		return -1;
	}
	attempt->address = address;
	attempt->began_ns = now_ns;
	race->running++;
	return 0;
}

/* The attempt is over; the last one takes its place. */
static void drop(struct race *race, unsigned at, int error)
{
	race->error = error;
	io_close(&race->attempts[at].conn_fd);
	race->attempts[at] = race->attempts[--race->running];
}

static int win(struct race *race, unsigned at, uint64_t *began_ns)
{
	int conn_fd = race->attempts[at].conn_fd;

	*began_ns = race->attempts[at].began_ns;
	race->attempts[at].conn_fd = -1;
	race_stop(race);
	return conn_fd;
}

/* Look at the attempts from FIRST on. Returns the descriptor of a winner, or -1. */
static int look_at_all(struct race *race, unsigned first, uint64_t now_ns, uint64_t *began_ns)
{
	for (unsigned at = first; at < race->running;) {
		int error = look(&race->attempts[at], now_ns);

		if (!error) {
			return win(race, at, began_ns);
		}
		if (error == EINPROGRESS) {
			at++;
		} else {
			drop(race, at, error);
		}
	}
	return -1;
}

int race_step(struct race *race, uint64_t now_ns, uint64_t *began_ns)
{
	int conn_fd = look_at_all(race, 0, now_ns, began_ns);

	while (conn_fd < 0 && race->begun < race->count &&
	       (!race->running || now_ns >= race->turn_ends_ns)) {
		if (begin(race, now_ns) < 0) {
			race->error = errno;
			if (io_is_shortage(errno)) {
				break;
			}
			continue;
		}
		conn_fd = look_at_all(race, race->running - 1, now_ns, began_ns);
	}
	if (conn_fd >= 0) {
		return conn_fd;
	}
	errno = race->running ? EINPROGRESS : race->error;
	if (race->running && now_ns >= race->deadline_ns) {
		errno = ETIMEDOUT;
	}
	if (errno != EINPROGRESS) {
		race_stop(race);
	}
	return -1;
}

unsigned race_watch(const struct race *race, struct pollfd *fds, uint64_t *wake_ns)
{
	uint64_t wake_at_ns = race->begun < race->count ? race->turn_ends_ns : race->deadline_ns;
	unsigned count = 0;

	for (unsigned i = 0; i < race->running; i++) {
		const struct race_attempt *attempt = &race->attempts[i];

		if (attempt->knock_ns == CLOCK_NEVER) {
			fds[count].fd = attempt->conn_fd;
			fds[count].events = POLLOUT;
			count++;
		} else if (wake_at_ns > attempt->knock_ns) {
			wake_at_ns = attempt->knock_ns;
		}
	}
	if (*wake_ns > wake_at_ns) {
		*wake_ns = wake_at_ns;
	}
	return count;
}

void race_stop(struct race *race)
{
	for (unsigned i = 0; i < race->running; i++) {
		io_close(&race->attempts[i].conn_fd);
	}
	race->running = 0;
}
