/* SPDX-License-Identifier: MIT */
#include "bench/pick.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/datagram.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/protocol.h"

#define STAGGER_NS     (250 * CLOCK_MS)
#define CONNECT_NS     CLOCK_S
#define PROBES	       3
#define PROBE_EVERY_NS (100 * CLOCK_MS)

struct runner {
	const struct addrinfo *address;
	uint64_t next_ns;	/* when to probe again, or to give up */
	unsigned probes;
	uint8_t nonce[PROTOCOL_NONCE_BYTES];
};

struct course {
	struct runner runners[PICK_MAX];
	struct pollfd fds[PICK_MAX];	/* -1: not started, or out */
	unsigned count;
	unsigned started;
	int socktype;
};

/* Take the addresses of LIST with the families alternating, each in its own order. */
static void line_up(struct course *course, const struct addrinfo *list)
{
	const struct addrinfo *next[2] = { list, list };
	int family = list->ai_family;
	unsigned turn = 0;

	while ((next[0] || next[1]) && course->count < PICK_MAX) {
		const struct addrinfo **at = &next[turn];

		while (*at && ((*at)->ai_family == family) != (turn == 0)) {
			*at = (*at)->ai_next;
		}
		if (*at) {
			course->runners[course->count].address = *at;
			course->fds[course->count++].fd = -1;
			*at = (*at)->ai_next;
		}
		turn = !turn;
	}
}

static void drop_out(struct course *course, unsigned i)
{
	io_close(&course->fds[i].fd);
}

static void send_probe(struct course *course, unsigned i, uint64_t now_ns)
{
	struct runner *runner = &course->runners[i];
	uint8_t request[DATAGRAM_REQUEST_BYTES];

	if (runner->probes++ == PROBES ||
	    getrandom(runner->nonce, sizeof(runner->nonce), 0) != sizeof(runner->nonce)) {
		drop_out(course, i);
		return;
	}
	protocol_write_request(request, sizeof(request), runner->nonce);
	if (send(course->fds[i].fd, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		drop_out(course, i);
		return;
	}
	runner->next_ns = now_ns + PROBE_EVERY_NS;
}

static void start(struct course *course, uint64_t now_ns)
{
	unsigned i = course->started++;
	struct runner *runner = &course->runners[i];
	const struct addrinfo *address = runner->address;
	struct pollfd *fd = &course->fds[i];

	if (course->socktype == SOCK_DGRAM) {
		fd->events = POLLIN;
		fd->fd = datagram_socket(address->ai_addr, address->ai_addrlen);
		if (fd->fd >= 0) {
			send_probe(course, i, now_ns);
		}
		return;
	}
	fd->events = POLLOUT;
	fd->fd = socket(address->ai_family, course->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	runner->next_ns = now_ns + CONNECT_NS;
	if (fd->fd >= 0 && connect(fd->fd, address->ai_addr, address->ai_addrlen) < 0 &&
	    errno != EINPROGRESS) {
		drop_out(course, i);
	}
}

static enum pick_outcome look_at(struct course *course, unsigned i)
{
	char answer[PROTOCOL_EXTENDED_MAX_BYTES];
	int error = 0;
	socklen_t len = sizeof(error);
	size_t line_len;
	ssize_t got;

	if (course->socktype != SOCK_DGRAM) {
		getsockopt(course->fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
		return error ? PICK_NONE : PICK_CONNECTED;
	}
	got = recv(course->fds[i].fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (got < 0) {
		return PICK_NONE;
	}
	return protocol_parse_answer(answer, (size_t)got, course->runners[i].nonce, &line_len) ?
		PICK_EXTENDED : PICK_PLAIN;
}

/* Probe again what has not answered, give up what was waited for, and say when to look again. */
static uint64_t care_for(struct course *course, uint64_t now_ns)
{
	uint64_t wake_ns = CLOCK_NEVER;

	for (unsigned i = 0; i < course->started; i++) {
		struct runner *runner = &course->runners[i];

		if (course->fds[i].fd >= 0 && runner->next_ns <= now_ns) {
			if (course->socktype == SOCK_DGRAM) {
				send_probe(course, i, now_ns);
			} else {
				drop_out(course, i);
			}
		}
		if (course->fds[i].fd >= 0 && runner->next_ns < wake_ns) {
			wake_ns = runner->next_ns;
		}
	}
	return wake_ns;
}

/* Returns the outcome of the one that has answered and its number in *FIRST. */
static enum pick_outcome run(struct course *course, unsigned *first)
{
	uint64_t start_ns = clock_now_ns();

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		uint64_t wake_ns = care_for(course, now_ns);

		while (course->started < course->count &&
		       (now_ns >= start_ns || wake_ns == CLOCK_NEVER)) {
			start(course, now_ns);
			start_ns = now_ns + STAGGER_NS;
			wake_ns = care_for(course, now_ns);
		}
		if (wake_ns == CLOCK_NEVER) {
			return PICK_NONE;
		}
		if (course->started < course->count && start_ns < wake_ns) {
			wake_ns = start_ns;
		}
		poll(course->fds, course->started, clock_poll_ms(wake_ns));
		for (unsigned i = 0; i < course->started; i++) {
			enum pick_outcome outcome;

			if (course->fds[i].fd < 0 || !course->fds[i].revents) {
				continue;
			}
			outcome = look_at(course, i);
			if (outcome != PICK_NONE) {
				*first = i;
				return outcome;
			}
			drop_out(course, i);
		}
	}
}

enum pick_outcome pick_address(const struct addrinfo *list, int socktype,
	const struct addrinfo **winner)
{
	struct course course = { .socktype = socktype };
	enum pick_outcome outcome;
	unsigned first = 0;

	line_up(&course, list);
	outcome = run(&course, &first);
	*winner = outcome == PICK_NONE ? list : course.runners[first].address;
	for (unsigned i = 0; i < course.count; i++) {
		io_close(&course.fds[i].fd);
	}
	return outcome;
}
