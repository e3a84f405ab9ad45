/* SPDX-License-Identifier: MIT */
/*
 * The log: one line an event, to stderr, to the journal (stderr with <N> in front) or to syslog.
 *
 * Only whoever decides what to do about an event logs it: the mains and the loops of the threads,
 * never a helper. What a stranger can cause goes through a log_limit. All functions but
 * log_open_*() and log_set_level() are thread-safe; those belong to main, before any thread.
 */
#ifndef RUPTIME_COMMON_LOG_H
#define RUPTIME_COMMON_LOG_H

#include <stdatomic.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* One cause that may repeat quickly: at most one line in 30 s, with the count of those between. */
struct log_limit {
	_Atomic uint64_t next_ns;
	_Atomic uint64_t held_back;
};

/* Log to stderr; if stderr is the journal's, put the priority in front. The state at start. */
void log_open_stderr(void);

/* Log to syslog as NAME, which must outlive the log. */
void log_open_syslog(const char *name);

/* What is less important than LEVEL is not logged. At start: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A warning, rate-limited by LIMIT (zero-initialized, one for each cause). */
void log_limited(struct log_limit *limit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
