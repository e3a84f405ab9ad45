/* SPDX-License-Identifier: MIT */
/*
 * Where to run uptime: doc/decisions/0003. Settings:
 *
 *	way=runner		a process that was forked at the start, as runner.c does
 *	way=spawn		this process, by posix_spawn()
 *	way=fork		this process, by fork()
 *	sockets=0		so many are open meanwhile, close-on-exec
 *	memory=16		MiB that this process has touched
 *	ms=500			how long
 *
 * Prints how long a run takes, and what it does to the rest of the server: to a thread that makes
 * connections, closes its end, and waits until the other side has seen it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/shape.h"
#include "common/clock.h"
#include "daemon/run/children.h"
#include "daemon/run/command.h"
#include "daemon/run/runner.h"

static const char *const ways[] = { "runner", "spawn", "fork" };
enum way { WAY_RUNNER, WAY_SPAWN, WAY_FORK };

static const struct runner_config config = { .command = UPTIME_COMMAND };
static struct histogram runs;
static struct histogram ends;
static int child_fd;		/* of spawned commands */
static atomic_bool over;	/* relaxed: it orders nothing */

static void run_forked(struct command_result *result)
{
	int pipe_fds[2];
	ssize_t got;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		shape_die("fork");
	}
	if (pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		execl(UPTIME_COMMAND, "uptime", (char *)NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	got = read(pipe_fds[0], result->text, sizeof(result->text));
	close(pipe_fds[0]);
	waitpid(pid, NULL, 0);
	result->ok = got > 0;
}

static void run(enum way way, struct runner *runner)
{
	struct command_result result = { .ok = false };
	uint64_t began_ns = clock_now_ns();

	switch (way) {
	case WAY_RUNNER:
		runner_run(runner, CLOCK_S, &result);
		break;
	case WAY_SPAWN:
		command_run(&(struct command){ UPTIME_COMMAND, NULL, child_fd, -1 }, CLOCK_S,
			&result);
		break;
	case WAY_FORK:
		run_forked(&result);
		break;
	}
	if (!result.ok) {
		fprintf(stderr, "the run failed: %s\n", result.text);
		exit(1);
	}
	histogram_add(&runs, clock_now_ns() - began_ns);
}

/* What a client sees of a close(): its end comes when no process holds the connection any more. */
static void *make_ends(void *unused)
{
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		uint64_t began_ns;
		int pair[2];
		char byte;

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
			shape_die("socketpair");
		}
		began_ns = clock_now_ns();
		close(pair[0]);
		if (read(pair[1], &byte, 1) != 0) {
			shape_die("read");
		}
		histogram_add(&ends, clock_now_ns() - began_ns);
		close(pair[1]);
	}
	return unused;
}

static void open_sockets(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0) {
			shape_die("socket");
		}
	}
}

static void print(const char *name, const struct histogram *histogram)
{
	printf("%s=%llu %s_p50=%.0f %s_p99=%.0f %s_p999=%.0f %s_max=%.0f ", name,
		(unsigned long long)histogram->count, name,
		(double)histogram_quantile_ns(histogram, 0.5) / 1e3, name,
		(double)histogram_quantile_ns(histogram, 0.99) / 1e3, name,
		(double)histogram_quantile_ns(histogram, 0.999) / 1e3, name,
		(double)histogram->max_ns / 1e3);
}

int main(int argc, char **argv)
{
	struct message_report failed;
	struct runner *runner = NULL;
	uint64_t end_ns;
	size_t memory;
	char *touched;
	enum way way;
	pthread_t thread;
	sigset_t child;

	shape_begin(argc, argv);
	way = (enum way)shape_choice("way", ways, 3);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	child_fd = children_watch();
	if (way == WAY_RUNNER && !(runner = runner_new(&config, &failed))) {
		shape_die("runner");
	}
	memory = shape_number("memory", 16) << 20;
	touched = malloc(memory);
	if (!touched) {
		shape_die("malloc");
	}
	memset(touched, 1, memory);
	open_sockets(shape_number("sockets", 0));
	thread = shape_thread(make_ends, NULL);
	end_ns = clock_now_ns() + shape_number("ms", 500) * CLOCK_MS;
	while (clock_now_ns() < end_ns) {
		run(way, runner);
	}
	atomic_store_explicit(&over, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	print("runs", &runs);
	print("ends", &ends);
	printf("\n");
	runner_free(runner);
	free(touched);
	return 0;
}
