/* SPDX-License-Identifier: MIT */
/*
 * How to start the command of a run: doc/decisions/0015. Settings:
 *
 *	way=ahead		fork the loaded command ahead of the run, as ruptimed does
 *	way=forked		fork it when the run is to begin
 *	way=cold		execute it, by posix_spawn()
 *	preload=PATH		the library that holds it in front of main(), not for way=cold
 *	command=PATH		which command
 *	rest=0			microseconds between two runs
 *	ms=500			how long
 *
 * Prints how long a run takes, from its start to when the command has been reaped; what it costs in
 * processor time, that of the loaded command included; how long loading takes until the first child
 * waits; and what memory the loaded command and the child that waits have for themselves.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/shape.h"
#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/command.h"

/* Loading is over long before. */
#define LOAD_MS 2000

static const char *const ways[] = { "ahead", "forked", "cold" };
enum way { WAY_AHEAD, WAY_FORKED, WAY_COLD };

static struct warm warm;
static struct histogram runs;
static unsigned long others;	/* that were started in another way */

static uint64_t cpu_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * CLOCK_S +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * CLOCK_US;
}

/* The first number behind NAME in FILE of process PID; NAME may be "". */
static unsigned long long figure_of(pid_t pid, const char *file, const char *name)
{
	unsigned long long value = 0;
	char path[64];
	char line[256];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	in = fopen(path, "re");
	while (in && !value && fgets(line, sizeof(line), in)) {
		if (strncmp(line, name, strlen(name)) == 0) {
			value = strtoull(line + strlen(name), NULL, 10);
		}
	}
	if (in) {
		fclose(in);
	}
	return value;
}

/* All that has been spent until now. */
static uint64_t cpu_ns(void)
{
	return cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) +
	       (warm.loaded ? figure_of(warm.loaded, "schedstat", "") : 0);
}

/* Until a child waits. Returns how long it took, from nothing. */
static uint64_t load(void)
{
	uint64_t began_ns = clock_now_ns();
	uint64_t end_ns = began_ns + LOAD_MS * CLOCK_MS;

	warm_prepare(&warm);
	while (!warm.waiting && clock_now_ns() < end_ns) {
		struct pollfd word = { .fd = warm_watch_fd(&warm), .events = POLLIN };

		if (poll(&word, 1, LOAD_MS) == 1) {
			warm_hear(&warm);
		}
	}
	if (!warm.waiting) {
		shape_die(warm.cold_reason ? warm.cold_reason : "cannot load the command");
	}
	return clock_now_ns() - began_ns;
}

static void run(enum way way, const struct command *command)
{
	struct command_result result;
	uint64_t began_ns = clock_now_ns();

	if (way == WAY_FORKED) {
		warm_prepare(&warm);
	}
	command_run(command, CLOCK_S, &result);
	if (!result.ok) {
		shape_die(result.text);
	}
	others += result.warm != (way != WAY_COLD);
	histogram_add(&runs, clock_now_ns() - began_ns);
	if (way == WAY_AHEAD) {
		warm_prepare(&warm);
	}
}

int main(int argc, char **argv)
{
	struct command command = { .warm = &warm };
	uint64_t load_ns = 0;
	uint64_t spent_ns;
	uint64_t end_ns;
	unsigned long rest_us;
	sigset_t child;
	enum way way;
	int pair[2];

	shape_begin(argc, argv);
	way = (enum way)shape_choice("way", ways, 3);
	rest_us = shape_number("rest", 0);
	command.path = shape_text("command", UPTIME_COMMAND);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	command.child_fd = children_watch();
	if (command.child_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		shape_die("cannot begin");
	}
	command.cancel_fd = pair[0];
	warm_init(&warm, command.path, way == WAY_COLD ? NULL : shape_text("preload", NULL));
	if (way != WAY_COLD) {
		load_ns = load();
	}
	spent_ns = cpu_ns();
	end_ns = clock_now_ns() + shape_number("ms", 500) * CLOCK_MS;
	while (clock_now_ns() < end_ns) {
		run(way, &command);
		if (rest_us) {
			(void)poll(NULL, 0, (int)(rest_us / 1000));
		}
	}
	spent_ns = cpu_ns() - spent_ns;
	printf("runs=%llu others=%lu p50=%.0f p99=%.0f cpu=%.0f load=%.0f loaded_kib=%llu "
	       "waiting_kib=%llu\n",
		(unsigned long long)runs.count, others,
		(double)histogram_quantile_ns(&runs, 0.5) / 1e3,
		(double)histogram_quantile_ns(&runs, 0.99) / 1e3,
		(double)spent_ns / 1e3 / (double)runs.count, (double)load_ns / 1e3,
		warm.loaded ? figure_of(warm.loaded, "smaps_rollup", "Pss_Anon:") : 0,
		warm.waiting ? figure_of(warm.waiting, "smaps_rollup", "Pss_Anon:") : 0);
	warm_unload(&warm);
	children_kill(NULL, 0);
	return 0;
}
