/* SPDX-License-Identifier: MIT */
/*
 * A TCP server that answers with a constant, built in several ways: doc/decisions/0004, 0005 and
 * 0010. Settings:
 *
 *	close=kept		MSG_MORE, shutdown(), kept until the client has closed (lingering.c)
 *	close=merged		MSG_MORE, shutdown(), close()
 *	close=skip		what the client has said is thrown away, then send(), close()
 *	close=plain		send(), close()
 *
 *	accept=poll		poll(), then accept4() until no client waits, or the turn is over
 *	accept=epoll		the same with epoll_wait()
 *	accept=blocking		accept4() that waits; each connection is a turn
 *	turn=64			the most that is accepted in a turn
 *	rest=0			us between turns while the worker is awake
 *	aside=0			1: then sched_yield() between turns, as ingress_yield()
 *
 *	worker=1		a thread of its own answers; 0: the one that accepts
 *	listen=ADDRESS		tcp://127.0.0.1:0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/shape.h"
#include "common/clock.h"
#include "daemon/policy/connections.h"
#include "daemon/queue/queue.h"
#include "daemon/reply/lingering.h"

#define TURN_MAX    4096
#define CLOSING_MAX 1024
#define CONNECTIONS_MAX 16384
#define TURNS	    64
#define SKIP_BYTES  (1 << 20)

static const char line[] =
	" 12:34:56 up 12 days,  3:45,  2 users,  load average: 0.12, 0.34, 0.56\n";
#define LINE_BYTES (sizeof(line) - 1)

/* What one turn has accepted. They go round: from the acceptor to the worker, and back. */
struct turn {
	struct queue_node node;
	unsigned count;
	int conn_fds[TURN_MAX];
};

enum accept { ACCEPT_POLL, ACCEPT_EPOLL, ACCEPT_BLOCKING };
static const char *const accept_names[] = { "poll", "epoll", "blocking" };
static const char *const close_names[] = { "kept", "merged", "skip", "plain" };

static void (*close_one)(int conn_fd);
static struct connections *connections;
static struct lingering *lingering;	/* of the thread that answers */
static struct queue *accepted;
static struct queue *returned;
static int listen_fd;
static int epoll_fd;

static void close_kept(int conn_fd)
{
	static const union connections_peer peer = { .any = { .sa_family = AF_INET } };
	unsigned source;

	connections_enter(connections, conn_fd, 1, &peer, &source);
	(void)!send(conn_fd, line, LINE_BYTES, MSG_MORE | MSG_DONTWAIT);
	lingering_add(closing, conn_fd, source, false, false, clock_now_ns());
}

static void close_merged(int conn_fd)
{
	(void)!send(conn_fd, line, LINE_BYTES, MSG_MORE | MSG_DONTWAIT);
	shutdown(conn_fd, SHUT_WR);
	close(conn_fd);
}

static void close_skip(int conn_fd)
{
	/* To TCP this means: throw it away, and copy nothing. */
	(void)!recv(conn_fd, NULL, SKIP_BYTES, MSG_TRUNC | MSG_DONTWAIT);
	(void)!send(conn_fd, line, LINE_BYTES, MSG_DONTWAIT);
	close(conn_fd);
}

static void close_plain(int conn_fd)
{
	(void)!send(conn_fd, line, LINE_BYTES, MSG_DONTWAIT);
	close(conn_fd);
}

static void (*const closes[])(int) = { close_kept, close_merged, close_skip, close_plain };

static void answer(const struct turn *turn)
{
	for (unsigned i = 0; i < turn->count; i++) {
		close_one(turn->conn_fds[i]);
	}
}

static void *work(void *unused)
{
	for (;;) {
		struct queue_node *taken = queue_take(accepted, lingering_due_ns(closing));

		while (taken) {
			struct turn *turn = (struct turn *)(void *)taken;

			taken = taken->next;
			answer(turn);
			queue_push(returned, &turn->node, 1);
		}
		lingering_sweep(closing, clock_now_ns());
	}
	return unused;
}

static void wait_for_more(enum accept way, int wait_ms)
{
	struct pollfd ready = { .fd = listen_fd, .events = POLLIN };
	struct epoll_event event;

	if (way == ACCEPT_POLL) {
		poll(&ready, 1, wait_ms);
	} else if (way == ACCEPT_EPOLL) {
		epoll_wait(epoll_fd, &event, 1, wait_ms);
	}
}

static void prepare(enum accept way)
{
	struct epoll_event event = { .events = EPOLLIN };

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event);
	if (way == ACCEPT_BLOCKING) {
		fcntl(listen_fd, F_SETFL, 0);
	}
	prctl(PR_SET_TIMERSLACK, 1);
}

static struct turn *next_turn(struct queue_node **unused)
{
	struct turn *turn;

	if (!*unused) {
		*unused = queue_take(returned, CLOCK_NEVER);
	}
	turn = (struct turn *)(void *)*unused;
	*unused = (*unused)->next;
	turn->count = 0;
	return turn;
}

static void *serve(void *unused)
{
	enum accept way = (enum accept)shape_choice("accept", accept_names, 3);
	unsigned long most = way == ACCEPT_BLOCKING ? 1 : shape_number("turn", 64);
	uint64_t rest_ns = shape_number("rest", 0) * CLOCK_US;
	const struct timespec rest = clock_timespec(rest_ns);
	bool aside = shape_number("aside", 0);
	bool in_thread = !shape_number("worker", 1);
	struct queue_node *turns = NULL;

	prepare(way);
	for (;;) {
		struct turn *turn = next_turn(&turns);
		bool hurry = false;

		wait_for_more(way, in_thread ? clock_poll_ms(lingering_due_ns(closing)) : -1);
		while (turn->count < most) {
			int conn_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

			if (conn_fd < 0) {
				break;
			}
			turn->conn_fds[turn->count++] = conn_fd;
		}
		if (!in_thread) {
			hurry = queue_push(accepted, &turn->node, turn->count);
		} else {
			answer(turn);
			lingering_sweep(closing, clock_now_ns());
			turn->node.next = turns;
			turns = &turn->node;
		}
		if (rest_ns && !hurry) {
			ppoll(NULL, 0, &rest, NULL);
		} else if (aside && !hurry) {
			sched_yield();
		}
	}
	return unused;
}

int main(int argc, char **argv)
{
	shape_begin(argc, argv);
	close_one = closes[shape_choice("close", close_names, 4)];
	connections = connections_new(CONNECTIONS_MAX, CONNECTIONS_MAX, NULL);
	closing = lingering_new(CLOSING_MAX, connections);
	accepted = queue_new();
	returned = queue_new();
	if (!connections || !closing || !accepted || !returned) {
		shape_die("memory");
	}
	for (unsigned i = 0; i < TURNS; i++) {
		struct turn *turn = malloc(sizeof(*turn));

		if (!turn) {
			shape_die("malloc");
		}
		queue_push(returned, &turn->node, 1);
	}
	listen_fd = shape_listen();
	shape_thread(serve, NULL);
	if (shape_number("worker", 1)) {
		shape_thread(work, NULL);
	}
	shape_wait();
	return 0;
}
