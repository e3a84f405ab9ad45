/* SPDX-License-Identifier: MIT */
#include "daemon/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/ingress/acceptor.h"
#include "daemon/ingress/dispatcher.h"
#include "daemon/ingress/fdpass_acceptor.h"
#include "daemon/ingress/ingress.h"
#include "daemon/ingress/udp_receiver.h"
#include "daemon/listen/udp_socket.h"
#include "daemon/policy/connections.h"
#include "daemon/reply/fdpass_writer.h"
#include "daemon/reply/path_writer.h"
#include "daemon/run/uptime.h"
#include "daemon/stats.h"
#include "daemon/work/worker.h"

/* How long the last replies on XSI queues may still be fetched, and how often we look. */
#define FETCH_NS      (500 * CLOCK_MS)
#define FETCH_LOOK_MS 5

/* Beyond the time of a run: its hang-over, its answers, a machine that is slow. */
#define STALL_NS (5 * CLOCK_S)

/*
 * The ingress threads, and what each of them is. A new kind of thread is a line here. They are
 * joined in this order, the one that clients may hold up last.
 */
enum { ACCEPTOR, UDP_RECEIVER, DISPATCHER, FDPASS_ACCEPTOR, INGRESS_COUNT };

static const struct {
	bool (*ours)(const struct listener *listener);
	int (*start)(struct ingress *ingress);
	/* Of the requests that may wait, as a weight: it bounds how long each of them waits. */
	unsigned share;
} kinds[INGRESS_COUNT] = {
	[ACCEPTOR] = { listener_is_plain_stream, acceptor_start, 4 },
	[UDP_RECEIVER] = { listener_is_datagram, udp_receiver_start, 2 },
	[DISPATCHER] = { listener_is_msgq, dispatcher_start, 1 },
	[FDPASS_ACCEPTOR] = { listener_is_fdpass, fdpass_acceptor_start, 1 },
};

/* Whose counters are whose: those of the ingress threads come first. */
enum {
	FDPASS_WRITER = INGRESS_COUNT,
	PATH_WRITER,
	FIRST_WORKER,
};

struct server {
	const struct server *before;	/* NULL: it follows no other, or that has ended */
	const struct listener_set *listeners;
	struct connections *connections;
	struct stats *stats;
	struct queue *queue;
	_Atomic uint64_t rest_ns;		/* the workers to the acceptor: batch_wait.h */
	struct uptime *uptime;
	struct worker_writers writers;
	struct worker_pool *workers;
	struct ingress ingress[INGRESS_COUNT];
	const struct settings *settings;
	pthread_mutex_t lock;		/* of what follows, and of WORKERS while others look */
	uint64_t seen_taken;		/* how far the workers were at the last look, */
	uint64_t seen_ns;		/* and when they had got there, or had nothing to do */
};

static bool has_work(const struct listener_set *listeners, unsigned kind)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		if (kinds[kind].ours(&listeners->all[i])) {
			return true;
		}
	}
	return false;
}

/* Divide the QUEUE requests among those threads that have something to do; none gets nothing. */
static size_t capacity_of(const struct listener_set *listeners, unsigned kind, unsigned queue)
{
	unsigned shares = 0;
	size_t capacity;

	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		shares += has_work(listeners, i) ? kinds[i].share : 0;
	}
	capacity = (size_t)queue * kinds[kind].share / shares;
	return capacity ? capacity : 1;
}

static int start_ingress(struct server *server, unsigned kind, const struct settings *settings)
{
	struct ingress *ingress = &server->ingress[kind];

	if (!has_work(server->listeners, kind)) {
		return 0;
	}
	ingress->settings = settings;
	ingress->listeners = server->listeners;
	ingress->ours = kinds[kind].ours;
	ingress->connections = server->connections;
	ingress->queue = server->queue;
	ingress->rest_ns = &server->rest_ns;
	ingress->counters = stats_of(server->stats, kind);
	ingress->capacity = capacity_of(server->listeners, kind, settings->queue);
	return kinds[kind].start(ingress);
}

/* Those that the listeners need. Returns 0, or -1 with errno. */
static int start_writers(struct server *server)
{
	const struct listener_set *listeners = server->listeners;
	struct worker_writers *writers = &server->writers;

	if (has_work(listeners, FDPASS_ACCEPTOR)) {
		writers->fdpass = fdpass_writer_start(
			server->connections, stats_of(server->stats, FDPASS_WRITER));
		if (!writers->fdpass) {
			return -1;
		}
	}
	for (unsigned i = 0; i < listeners->count && !writers->paths; i++) {
		if (listeners->all[i].address.scheme == ADDRESS_UNIX_DGRAM) {
			writers->paths = path_writer_start(
				listeners, stats_of(server->stats, PATH_WRITER));
			if (!writers->paths) {
				return -1;
			}
		}
	}
	return 0;
}

struct server *server_start(const struct settings *settings, const struct listener_set *listeners,
	struct runner *runner)
{
	struct server *server = calloc(1, sizeof(*server));
	struct access access;
	int error;

	if (!server) {
		return NULL;
	}
	/* For all threads: moments are to be short, and the usual slack would double them. */
	prctl(PR_SET_TIMERSLACK, 1);
	server->listeners = listeners;
	server->settings = settings;
	pthread_mutex_init(&server->lock, NULL);
	server->seen_ns = clock_now_ns();
	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		server->ingress[i].stop_fd = -1;
	}
	server->stats = stats_new(FIRST_WORKER + settings->workers + 1);
	access_init(&access, settings);
	server->connections = connections_new(
		settings->max_connections ? settings->max_connections : connections_default_max(),
		settings->max_per_source, &access);
	server->queue = queue_new();
	server->uptime = uptime_new(settings->source, runner, settings->run_timeout_ns,
		settings->max_age_ns);
	if (!server->connections || !server->stats || !server->queue || !server->uptime) {
		goto fail;
	}
	if (start_writers(server) < 0) {
		goto fail;
	}
	server->workers = worker_pool_start(settings->workers, server->queue, server->uptime,
		server->connections, &server->writers, &server->rest_ns, server->stats,
		FIRST_WORKER);
	if (!server->workers) {
		goto fail;
	}
	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		if (start_ingress(server, i, settings) < 0) {
			goto fail;
		}
	}
	return server;
fail:
	error = errno;
	server_stop(server);
	server_free(server);
	errno = error;
	return NULL;
}

/* Their queues go away with us; a client that was just answered is about to fetch its line. */
static void await_fetching(const struct listener_set *listeners)
{
	uint64_t end_ns = clock_now_ns() + FETCH_NS;

	for (unsigned i = 0; i < listeners->count; i++) {
		struct msgq_replies *replies = listeners->all[i].replies;

		if (listeners->all[i].borrowed) {
			continue;
		}
		while (replies && msgq_replies_are_waiting(replies) && clock_now_ns() < end_ns) {
			poll(NULL, 0, FETCH_LOOK_MS);
		}
	}
}

void server_stop(struct server *server)
{
	struct worker_pool *workers;

	/* All at once: what clients may hold up at each does not add up. */
	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		ingress_request_stop(&server->ingress[i]);
	}
	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		ingress_stop(&server->ingress[i]);
	}
	pthread_mutex_lock(&server->lock);
	workers = server->workers;
	server->workers = NULL;
	pthread_mutex_unlock(&server->lock);
	if (workers) {
		queue_close(server->queue);
		worker_pool_join(workers);
		await_fetching(server->listeners);
	}
	path_writer_end(server->writers.paths);
	server->writers.paths = NULL;
	fdpass_writer_end(server->writers.fdpass);
	server->writers.fdpass = NULL;
}

bool server_makes_progress(struct server *server, uint64_t now_ns)
{
	uint64_t longest_ns = server->settings->run_timeout_ns + STALL_NS;
	struct worker_pulse pulse;
	bool moves = true;

	pthread_mutex_lock(&server->lock);
	if (server->workers) {
		worker_pool_look(server->workers, &pulse);
		if (!pulse.waiting || pulse.taken != server->seen_taken) {
			server->seen_taken = pulse.taken;
			server->seen_ns = now_ns;
		}
		moves = (pulse.busy_since_ns == CLOCK_NEVER ||
				now_ns < pulse.busy_since_ns + longest_ns) &&
			now_ns < server->seen_ns + longest_ns;
	}
	pthread_mutex_unlock(&server->lock);
	return moves;
}

/* Of the server that it follows, too, while there is one. */
static void sum_up(const struct server *server, struct stats_counters *sum)
{
	stats_sum(server->stats, sum);
	if (server->before) {
		struct stats_counters before;

		stats_sum(server->before->stats, &before);
		stats_merge(sum, &before);
	}
}

void server_collect(const struct server *server, struct exposition *figures)
{
	*figures = (struct exposition){
		.queue_capacity = server->settings->queue,
		.connections = connections_open(server->connections),
		.users = uptime_users(server->uptime),
		.source = server->settings->source == SETTINGS_PROCPS ? "procps" : "exec",
	};
	for (unsigned i = 0; i < server->listeners->count; i++) {
		figures->serves[server->listeners->all[i].address.scheme] = true;
	}
	sum_up(server, &figures->sum);
	host_read(&figures->host);
}

void server_describe(const struct server *server, char *buf, size_t size)
{
	struct stats_counters sum;
	uint64_t requests = 0;
	uint64_t replies = 0;
	uint64_t dropped = 0;

	sum_up(server, &sum);
	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		requests += sum.requests[t];
		replies += sum.replies[t];
		for (unsigned r = 0; r < STATS_DROPS; r++) {
			dropped += sum.dropped[t][r];
		}
	}
	snprintf(buf, size, "%llu requests: %llu answered, %llu dropped, %llu waiting",
		(unsigned long long)requests, (unsigned long long)replies,
		(unsigned long long)dropped, (unsigned long long)(requests - replies - dropped));
}

void server_follow(struct server *server, const struct server *before)
{
	server->before = before;
}

void server_absorb(struct server *server)
{
	struct stats_counters sum;

	stats_sum(server->before->stats, &sum);
	stats_absorb(server->stats, &sum);
	server->before = NULL;
}

void server_absorb_counters(struct server *server, const struct stats_counters *counters)
{
	stats_absorb(server->stats, counters);
}

void server_count(const struct server *server, struct stats_counters *sum)
{
	stats_sum(server->stats, sum);
}

static uint64_t count_kernel_drops(const struct listener_set *listeners)
{
	uint64_t drops = 0;

	for (unsigned i = 0; i < listeners->count; i++) {
		if (listeners->all[i].address.scheme == ADDRESS_UDP) {
			drops += udp_socket_kernel_drops(listeners->all[i].fd);
		}
	}
	return drops;
}

void server_log_state(const struct server *server)
{
	uint64_t kernel_drops = count_kernel_drops(server->listeners);
	struct stats_counters sum;
	const char *start = uptime_start(server->uptime);
	char text[STATS_TEXT_BYTES];

	sum_up(server, &sum);
	for (unsigned t = 0; t < ADDRESS_SCHEMES; t++) {
		if (sum.requests[t]) {
			stats_format(&sum, (enum address_scheme)t, text, sizeof(text));
			log_info("state %s %s", address_scheme_name((enum address_scheme)t), text);
		}
	}
	if (kernel_drops || sum.rate_exceeded) {
		log_info("state kernel-dropped=%llu rate-exceeded=%llu",
			(unsigned long long)kernel_drops, (unsigned long long)sum.rate_exceeded);
	}
	if (sum.accept_failures) {
		log_info("state accept-failures=%llu", (unsigned long long)sum.accept_failures);
	}
	if (sum.messages || sum.replies_reaped) {
		log_info("state messages=%llu replies-reaped=%llu",
			(unsigned long long)sum.messages, (unsigned long long)sum.replies_reaped);
	}
	if (sum.requests[ADDRESS_TCP] || sum.requests[ADDRESS_UNIX] ||
	    sum.requests[ADDRESS_UNIX_SEQPACKET] || sum.requests[ADDRESS_FDPASS]) {
		log_info("state connections open=%u", connections_open(server->connections));
	}
	log_info("state runs ok=%llu failed=%llu%s%s", (unsigned long long)sum.runs_ok,
		(unsigned long long)sum.runs_failed, start[0] ? " start=" : "", start);
}

void server_free(struct server *server)
{
	if (!server) {
		return;
	}
	for (unsigned i = 0; i < INGRESS_COUNT; i++) {
		ingress_free(&server->ingress[i]);
	}
	uptime_free(server->uptime);
	queue_free(server->queue);
	connections_free(server->connections);
	stats_free(server->stats);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
