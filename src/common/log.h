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
#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* One cause that may repeat quickly, and what was logged and held back of it in its 30 s. */
struct log_limit {
	_Atomic uint64_t next_ns;
	_Atomic uint64_t logged;
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

/*
 * A warning, at most one in 30 s for each LIMIT (zero-initialized, one for each cause); the next
 * one tells how many were held back.
 */
void log_limited(struct log_limit *limit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for information that somebody else's doing brings in: LOG_SOME_LINES in 30 s. */
#define LOG_SOME_LINES 1000
void log_some(struct log_limit *limit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Would log_debug() write anything? For what is costly to find out only to be logged. */
bool log_is_verbose(void);

#endif
