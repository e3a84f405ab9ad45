/* SPDX-License-Identifier: MIT */
/*
 * The whole pipeline, started and stopped again and again while clients ask. A client that
 * had a connection, or had sent a datagram, before the stop began gets a line; and nothing of a
 * server is left when it has stopped.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/server.h"
#include "stress/stress.h"
#include "unit/process.h"
#include "unit/random.h"
#include "unit/scratch.h"
#include "unit/sockets.h"

#define CLIENTS 4
#define LINE	"12:00:00 up 1 min,  0 users,  load average: 0.00, 0.00, 0.00\n"

/* One life of a server, and what its clients saw of it. */
struct life {
	struct listener_set listeners;
	int over_fd;		/* readable once it has stopped */
	atomic_bool stopping;
	atomic_uint answered;
	atomic_uint wrong;
};

struct client {
	struct life *life;
	const struct listener *listener;
	unsigned limit;		/* requests to make, 0: until the server stops */
	pthread_t thread;
};

static bool is_line(int fd)
{
	char text[256];

	return sockets_read_all(fd, text, sizeof(text)) > 0 && strcmp(text, LINE) == 0;
}

/* Wait for EVENTS on FD, or the end of the server's life. Returns whether FD came first. */
static bool await(const struct life *life, int fd, short events)
{
	struct pollfd fds[2] = {
		{ .fd = fd, .events = events },
		{ .fd = life->over_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0) {
	}
	return fds[0].revents & events;
}

static int begin_connect(const struct listener *listener)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	getsockname(listener->fd, (struct sockaddr *)&to, &len);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS) {
		io_close(&fd);
	}
	return fd;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

/* Returns whether there may be more. */
static bool ask_stream(struct life *life, const struct listener *listener)
{
	int fd = begin_connect(listener);
	bool open = fd >= 0 && await(life, fd, POLLOUT) && is_connected(fd);

	if (open && is_line(fd)) {
		atomic_fetch_add(&life->answered, 1);
	} else if (open) {
		atomic_fetch_add(&life->wrong, 1);
	}
	io_close(&fd);
	return open;
}

static bool ask_datagram(struct life *life, const struct listener *listener)
{
	int fd = sockets_connect(listener);
	bool sent = fd >= 0 && send(fd, "?", 1, 0) == 1;
	bool in_time = sent && !atomic_load(&life->stopping);
	bool came = sent && await(life, fd, POLLIN);
	char text[256];
	ssize_t got = came ? recv(fd, text, sizeof(text), MSG_DONTWAIT) : -1;
	bool is_right = got == sizeof(LINE) - 1 && memcmp(text, LINE, sizeof(LINE) - 1) == 0;

	if (is_right) {
		atomic_fetch_add(&life->answered, 1);
	} else if (in_time) {
		atomic_fetch_add(&life->wrong, 1);
	}
	io_close(&fd);
	return came;
}

static void *client_main(void *argument)
{
	struct client *client = argument;
	bool more = true;

	for (unsigned i = 0; more && (!client->limit || i < client->limit); i++) {
		more = client->listener->address.scheme == ADDRESS_TCP
			       ? ask_stream(client->life, client->listener)
			       : ask_datagram(client->life, client->listener);
	}
	return NULL;
}

static void start_clients(struct life *life, struct client *clients, unsigned limit)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){
			.life = life,
			.listener = &life->listeners.all[i % 2],
			.limit = limit,
		};
		pthread_create(&clients[i].thread, NULL, client_main, &clients[i]);
	}
}

static void join_clients(struct client *clients)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
	}
}

/* Returns whether all clients were served. */
static bool live(const struct settings *settings, struct runner *runner)
{
	struct life life = { .over_fd = io_event_open() };
	struct timespec while_loaded = { .tv_nsec = random_below(10) * (long)CLOCK_MS };
	struct client clients[CLIENTS];
	struct server *server;

	sockets_listen(&life.listeners, ADDRESS_TCP);
	sockets_listen(&life.listeners, ADDRESS_UDP);
	server = server_start(settings, &life.listeners, runner);
	if (!server) {
		return false;
	}
	/* First some who are all served, so that there was a load. */
	start_clients(&life, clients, 1 + random_below(3));
	join_clients(clients);
	start_clients(&life, clients, 0);
	/* Anywhere in the middle: nothing depends on how long it is. */
	ppoll(NULL, 0, &while_loaded, NULL);
	atomic_store(&life.stopping, true);
	server_stop(server);
	io_event_set(life.over_fd);
	join_clients(clients);
	server_free(server);
	listener_close_all(&life.listeners);
	io_close(&life.over_fd);
	if (life.wrong || life.answered < CLIENTS) {
		printf("# %u answered, %u wrong\n", life.answered, life.wrong);
	}
	return !life.wrong && life.answered >= CLIENTS;
}

int main(int argc, char **argv)
{
	struct message_report failed;
	struct settings settings = {
		.queue = 64,
		.max_per_source = 64,
		.run_timeout_ns = 10 * CLOCK_S,
	};
	struct scratch_path command;
	struct runner_config config = { 0 };
	struct runner *runner;
	unsigned descriptors;
	unsigned lives;
	bool served = true;
	bool leaks = false;

	stress_begin(argc, argv, 60);
	signal(SIGPIPE, SIG_IGN);
	scratch_init();
	command = scratch_command("uptime", "cat <<E\n" LINE "E");
	config.command = command.text;
	runner = runner_new(&config, &failed);
	if (!runner) {
		return 1;
	}
	lives = stress_amount(200);
	descriptors = process_descriptors();
	for (unsigned i = 0; i < lives && served && !leaks; i++) {
		settings.workers = 1 + random_below(4);
		served = live(&settings, runner);
		leaks = process_descriptors() != descriptors;
	}
	stress_case(served, "in %u lives every client in time was served", lives);
	stress_case(!leaks, "no descriptor is left");
	runner_free(runner);
	stress_case(!process_has_children(), "no process is left");
	scratch_fini();
	return stress_end();
}
