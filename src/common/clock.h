/* SPDX-License-Identifier: MIT */
/*
 * The one clock of deadlines and intervals: CLOCK_MONOTONIC in nanoseconds. Thread-safe.
 */
#ifndef RUPTIME_COMMON_CLOCK_H
#define RUPTIME_COMMON_CLOCK_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_US 1000ull
#define CLOCK_MS 1000000ull
#define CLOCK_S	 1000000000ull

#define CLOCK_NEVER UINT64_MAX

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_S + (uint64_t)now.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / CLOCK_S),
		.tv_nsec = (long)(ns % CLOCK_S),
	};
}

/* What poll() takes: milliseconds from now, rounded up so that no thread wakes too early. */
static inline int clock_poll_ms(uint64_t deadline_ns)
{
	uint64_t now_ns;
	uint64_t ms;

	if (deadline_ns == CLOCK_NEVER) {
		return -1;
	}
	now_ns = clock_now_ns();
	if (deadline_ns <= now_ns) {
		return 0;
	}
	ms = (deadline_ns - now_ns + CLOCK_MS - 1) / CLOCK_MS;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/*
 * A condition whose pthread_cond_timedwait() takes deadlines of this clock. Returns 0, or -1 with
 * errno.
 */
static inline int clock_init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int error;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	errno = error;
	return error ? -1 : 0;
}

#endif
