/* SPDX-License-Identifier: MIT */
#include "daemon/run/procps.h"

#include <libproc2/misc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"
#include "common/interrupt.h"

/*
 * A try that takes this long is interrupted: glibc takes a lock that it does not get for the end of
 * the file, and there are too few users in the line. Then there is another try.
 */
#define TRY_NS (100 * CLOCK_MS)

/* An order from main, which nothing depends on. */
static atomic_bool given_up;

/* The calling thread's: the leader is another one each time. */
static _Thread_local timer_t timer;
static _Thread_local bool has_timer;

bool procps_is_built_in(void)
{
	return true;
}

void procps_give_up(void)
{
	atomic_store_explicit(&given_up, true, memory_order_relaxed);
}

static void prepare_timer(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = INTERRUPT_SIGNAL,
		.sigev_notify_thread_id = gettid(),
	};

	has_timer = interrupt_prepare() == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
	/* For good, which saves two system calls a run: only this timer sends it to this thread. */
	interrupt_allow(has_timer);
}

/* Interrupt this thread after AFTER_NS, again and again; 0: no more. */
static void set_timer(uint64_t after_ns)
{
	struct itimerspec when = {
		.it_value = clock_timespec(after_ns),
		.it_interval = clock_timespec(after_ns),
	};

	if (has_timer) {
		timer_settime(timer, 0, &when, NULL);
	}
}

/* One try. Returns libproc2's line, or NULL if it took LONGEST_NS. */
static const char *try_once(uint64_t longest_ns)
{
	uint64_t until_ns = clock_now_ns() + longest_ns;
	const char *line;

	set_timer(longest_ns);
	line = procps_uptime_sprint();
	set_timer(0);
	return clock_now_ns() < until_ns ? line : NULL;
}

static void judge(const char *line, struct command_result *result)
{
	result->ok = line && protocol_is_printable(line, strlen(line));
	result->timed_out = result->stopped = result->warm = false;
	snprintf(result->text, sizeof(result->text), "%s",
		result->ok ? line : "libproc2 cannot tell the uptime");
}

void procps_measure(uint64_t timeout_ns, struct command_result *result)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t deadline_ns = now_ns + timeout_ns;

	if (!has_timer) {
		prepare_timer();
	}
	while (now_ns < deadline_ns && !atomic_load_explicit(&given_up, memory_order_relaxed)) {
		uint64_t left_ns = deadline_ns - now_ns;
		const char *line = try_once(left_ns < TRY_NS ? left_ns : TRY_NS);

		if (line) {
			judge(line, result);
			return;
		}
		now_ns = clock_now_ns();
	}
	*result = (struct command_result){ .timed_out = now_ns >= deadline_ns };
	if (result->timed_out) {
		snprintf(result->text, sizeof(result->text),
			"libproc2 did not finish within %llu ms",
			(unsigned long long)(timeout_ns / CLOCK_MS));
	} else {
		snprintf(result->text, sizeof(result->text), "the server is stopping");
	}
}
