/* SPDX-License-Identifier: MIT */
/*
 * The promise: every answer was measured after its request arrived, by one run at a time.
 */
#include "unit/unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/queue/request.h"
#include "daemon/work/worker.h"
#include "unit/process.h"
#include "unit/scratch.h"
#include "unit/sockets.h"

#define FAR_NS (50 * CLOCK_S)

#define CLIENTS 4
#define ROUNDS	60
#define BURST	10

static const struct listener stream_listener = { .address = { .scheme = ADDRESS_TCP }, .fd = -1 };

static struct scratch_path command;
static struct runner_config config;
static struct runner *runner;
static struct connections *connections;
static struct queue *queue;
static _Atomic uint64_t rest_ns;
static struct stats *stats;
static struct uptime *uptime;
static struct worker_pool *workers;
static unsigned descriptors;
static int running_fd;
static int may_end_fd;

static void start(struct scratch_path path, unsigned count)
{
	struct message_report failed;
	descriptors = process_descriptors();
	running_fd = may_end_fd = -1;
	command = path;
	config = (struct runner_config){ .command = command.text };
	runner = runner_new(&config, &failed);
	ck_assert_ptr_nonnull(runner);
	queue = queue_new();
	stats = stats_new(count);
	uptime = uptime_new(SETTINGS_EXEC, runner, FAR_NS, 0);
	connections = connections_new(ROUNDS * BURST, ROUNDS * BURST, NULL);
	workers = worker_pool_start(count, queue, uptime, connections, NULL, &rest_ns, stats, 0);
	ck_assert_ptr_nonnull(workers);
}

/* A command that says when it runs, and ends with its process number when it is told to. */
static void start_gated(unsigned count)
{
	int fds[2] = { scratch_fifo("running"), scratch_fifo("may-end") };
	char script[512];

	snprintf(script, sizeof(script), "echo >%s; read word <%s; echo $$",
		scratch_path("running").text, scratch_path("may-end").text);
	start(scratch_command("uptime", script), count);
	running_fd = fds[0];
	may_end_fd = fds[1];
}

/* HELD: how many descriptors of clients the test still has. */
static struct stats_counters stop(unsigned held)
{
	struct stats_counters sum;

	queue_close(queue);
	worker_pool_join(workers);
	stats_sum(stats, &sum);
	ck_assert_uint_eq(connections_open(connections), 0);
	connections_free(connections);
	uptime_free(uptime);
	stats_free(stats);
	queue_free(queue);
	runner_free(runner);
	if (running_fd >= 0) {
		io_close(&running_fd);
		io_close(&may_end_fd);
		descriptors -= 2; /* they were there before */
	}
	ck_assert_uint_eq(process_descriptors(), descriptors + held);
	return sum;
}

static void await_run(void)
{
	char byte;

	ck_assert_int_eq(read(running_fd, &byte, 1), 1);
}

static void end_run(void)
{
	ck_assert_int_eq(io_write_all(may_end_fd, "x\n", 2), 0);
}

/* Connections are entered by one thread, elsewhere; here all clients do, one after the other. */
static pthread_mutex_t entering = PTHREAD_MUTEX_INITIALIZER;

/*
 * Push COUNT streams as one batch, as if AGE_NS ago; their clients' ends go to CLIENTS.
 */
static void push_aged(struct request_pool *pool, int *client_fds, unsigned count, uint64_t age_ns)
{
	const union connections_peer peer = { .in = { .sin_family = AF_INET } };
	struct request_batch batch = { NULL, NULL, 0 };

	for (unsigned i = 0; i < count; i++) {
		struct request *request = request_pool_take(pool);
		struct sockets_pair pair = sockets_unix_pair();

		ck_assert_ptr_nonnull(request);
		client_fds[i] = pair.client_fd;
		request->conn_fd = pair.server_fd;
		pthread_mutex_lock(&entering);
		connections_enter(connections, pair.server_fd, 1, &peer, &request->source);
		pthread_mutex_unlock(&entering);
		request->listener = &stream_listener;
		request_batch_add(&batch, request);
	}
	batch.first->count = count;
	batch.first->pushed_ns = clock_now_ns() - age_ns;
	queue_push(queue, &batch.first->node, count);
}

static void push(struct request_pool *pool, int *client_fds, unsigned count)
{
	push_aged(pool, client_fds, count, 0);
}

static void read_line(int *client_fd, char *line, size_t size)
{
	ck_assert_int_gt(sockets_read_all(*client_fd, line, size), 0);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
	io_close(client_fd);
}

struct interval {
	uint64_t began_ns;
	uint64_t ended_ns;
};

static struct interval intervals[CLIENTS][ROUNDS * BURST];

static int compare(const void *a, const void *b)
{
	const struct interval *x = a;
	const struct interval *y = b;

	return (x->began_ns > y->began_ns) - (x->began_ns < y->began_ns);
}

static atomic_uint too_early;

/* A client that asks again as soon as it is answered, for one line or for many. */
static void *ask_and_ask(void *argument)
{
	struct interval *seen = argument;
	struct request_pool *pool = request_pool_new(2 * BURST);
	unsigned burst = seen == intervals[0] ? BURST : 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t pushed_ns = clock_now_ns();
		int client_fds[BURST];

		push(pool, client_fds, burst);
		for (unsigned i = 0; i < burst; i++) {
			char line[256];
			char *end;

			read_line(&client_fds[i], line, sizeof(line));
			seen->began_ns = strtoull(line, &end, 10);
			seen->ended_ns = strtoull(end, NULL, 10);
			atomic_fetch_add(&too_early, seen->began_ns <= pushed_ns);
			seen++;
		}
	}
	return pool;
}

START_TEST(test_promise)
{
	static struct interval all[CLIENTS * ROUNDS * BURST];
	struct request_pool *pools[CLIENTS];
	pthread_t threads[CLIENTS];
	struct stats_counters sum;
	unsigned count = 0;
	unsigned runs = 1;

	memset(intervals, 0, sizeof(intervals));
	start(scratch_fixture("show_interval"), (unsigned)_i);
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_create(&threads[i], NULL, ask_and_ask, intervals[i]);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], (void **)&pools[i]);
	}
	sum = stop(0);
	ck_assert_uint_eq(too_early, 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		for (unsigned j = 0; j < ROUNDS * BURST && intervals[i][j].began_ns; j++) {
			all[count++] = intervals[i][j];
		}
		request_pool_free(pools[i]);
	}
	ck_assert_uint_eq(count, ROUNDS * (BURST + CLIENTS - 1));
	qsort(all, count, sizeof(all[0]), compare);
	for (unsigned i = 1; i < count; i++) {
		/* The same run, or one that began after the one before had ended. */
		if (all[i].began_ns != all[i - 1].began_ns) {
			ck_assert_uint_ge(all[i].began_ns, all[i - 1].ended_ns);
			runs++;
		}
	}
	ck_assert_uint_eq(sum.runs_ok, runs);
	ck_assert_uint_eq(sum.runs_failed, 0);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], count);
	/* And that is why: a run serves all who waited for it. */
	ck_assert_uint_lt(runs, count);
}
END_TEST

/* What comes during a run is not for that run, and shares the next one, however many they are. */
START_TEST(test_later_run)
{
	struct request_pool *pools[2] = { request_pool_new(1), request_pool_new(3 * BURST) };
	int late_fds[3 * BURST];
	char early[64];
	char shared[64];
	int early_fd;
	struct stats_counters sum;

	start_gated((unsigned)_i);
	push(pools[0], &early_fd, 1);
	await_run();
	for (unsigned i = 0; i < 3; i++) {
		push(pools[1], late_fds + i * BURST, BURST);
	}
	end_run();
	await_run();
	read_line(&early_fd, early, sizeof(early));
	end_run();
	read_line(&late_fds[0], shared, sizeof(shared));
	ck_assert_str_ne(early, shared);
	for (unsigned i = 1; i < 3 * BURST; i++) {
		char line[64];

		read_line(&late_fds[i], line, sizeof(line));
		ck_assert_str_eq(line, shared);
	}
	sum = stop(0);
	ck_assert_uint_eq(sum.runs_ok, 2);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], 1 + 3 * BURST);
	request_pool_free(pools[0]);
	request_pool_free(pools[1]);
}
END_TEST

/* Whatever is in the queue when it is closed is answered, by a run of its own. */
START_TEST(test_drain)
{
	struct request_pool *pool = request_pool_new(BURST + 1);
	int client_fds[BURST + 1];
	struct stats_counters sum;
	char line[64];

	start_gated(2);
	push(pool, client_fds, 1);
	await_run();
	push(pool, client_fds + 1, BURST);
	end_run();
	end_run();
	for (unsigned i = 0; i < BURST + 1; i++) {
		/* Their clients say nothing, and do not wait for the end: closing is brief. */
		shutdown(client_fds[i], SHUT_WR);
	}
	sum = stop(BURST + 1);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], BURST + 1);
	for (unsigned i = 0; i < BURST + 1; i++) {
		read_line(&client_fds[i], line, sizeof(line));
	}
	request_pool_free(pool);
}
END_TEST

START_TEST(test_failed_run)
{
	struct request_pool *pool = request_pool_new(BURST);
	int client_fds[BURST];
	struct stats_counters sum;

	start(scratch_command("uptime", "exit 7"), 2);
	push(pool, client_fds, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		char line[128];

		read_line(&client_fds[i], line, sizeof(line));
		ck_assert_str_eq(line, "error: the command exited with status 7\n");
	}
	sum = stop(0);
	ck_assert_uint_eq(sum.runs_failed, 1);
	ck_assert_uint_eq(sum.runs_ok, 0);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], 0);
	ck_assert_uint_eq(sum.dropped[ADDRESS_TCP][STATS_RUN_FAILED], BURST);
	request_pool_free(pool);
}
END_TEST

/* A client that does not close costs the others nothing: they are served meanwhile. */
START_TEST(test_clients_that_stay)
{
	struct request_pool *pool = request_pool_new(8);
	int staying_fds[4];
	char line[64];
	uint64_t began_ns = clock_now_ns();

	start(scratch_command("uptime", "echo line"), 1);
	push(pool, staying_fds, 4);
	for (unsigned i = 0; i < 10; i++) {
		int client_fd;

		push(pool, &client_fd, 1);
		read_line(&client_fd, line, sizeof(line));
	}
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(5 * CLOCK_S));
	stop(4);
	for (unsigned i = 0; i < 4; i++) {
		read_line(&staying_fds[i], line, sizeof(line));
	}
	request_pool_free(pool);
}
END_TEST

START_TEST(test_nothing_to_do)
{
	struct stats_counters sum;

	start(scratch_command("uptime", "echo line"), (unsigned)_i);
	sum = stop(0);
	ck_assert_uint_eq(sum.runs_ok, 0);
	worker_pool_join(NULL);
}
END_TEST

/* A client that has waited too long gets nothing; that a run took long is held against none. */
START_TEST(test_too_late)
{
	const struct timespec run = clock_timespec(300 * CLOCK_MS);
	struct request_pool *pool = request_pool_new(2 * BURST + 2);
	int fresh_fd;
	int late_fds[BURST];
	int older_fds[BURST];
	int newer_fd;
	struct stats_counters sum;
	char line[64];

	start_gated(2);
	push(pool, &fresh_fd, 1);
	await_run();
	push_aged(pool, late_fds, BURST, 2 * WORKER_PATIENCE_NS);
	push_aged(pool, older_fds, BURST, WORKER_PATIENCE_NS - 300 * CLOCK_MS);
	push(pool, &newer_fd, 1);
	ppoll(NULL, 0, &run, NULL);
	end_run();
	await_run();
	ppoll(NULL, 0, &run, NULL);
	end_run();
	read_line(&fresh_fd, line, sizeof(line));
	read_line(&newer_fd, line, sizeof(line));
	for (unsigned i = 0; i < BURST; i++) {
		read_line(&older_fds[i], line, sizeof(line));
		ck_assert_int_eq(sockets_read_all(late_fds[i], line, sizeof(line)), 0);
		io_close(&late_fds[i]);
	}
	sum = stop(0);
	ck_assert_uint_eq(sum.replies[ADDRESS_TCP], BURST + 2);
	ck_assert_uint_eq(sum.dropped[ADDRESS_TCP][STATS_EXPIRED], BURST);
	request_pool_free(pool);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, test_promise, 1, 5);
	tcase_add_loop_test(tcase, test_later_run, 1, 4);
	tcase_add_test(tcase, test_drain);
	tcase_add_test(tcase, test_too_late);
	tcase_add_test(tcase, test_failed_run);
	tcase_add_test(tcase, test_clients_that_stay);
	tcase_add_loop_test(tcase, test_nothing_to_do, 1, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}
