/* SPDX-License-Identifier: MIT */
/*
 * The log: one line an event, to stderr, to the journal (stderr with <N> in front) or to syslog.
 *
 * Only the code that decides what to do about an event logs it: the mains and the loops of the
 * threads, never a helper. What a stranger can cause goes through a log_limit. Every byte of a line
 * that is not printable is escaped, whatever the line is made of.
 *
 * Nothing here waits for a reader, but log_flush() and log_end(), and they for an instant: a thread
 * of the log's own writes the lines, see line_writer.h. The functions that log are thread-safe; the
 * others belong to main.
 */
#ifndef RUPTIME_COMMON_LOG_H
#define RUPTIME_COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
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

/*
 * Log to stderr; if stderr is the journal's, put the priority in front. Lines are kept until
 * log_start(). Before this call each is written to stderr at once.
 */
void log_open_stderr(void);

/* The same to syslog as NAME, which must outlive the log. Returns 0, or -1 with errno. */
int log_open_syslog(const char *name);

/*
 * Start the thread that writes the log and, if something PRINTS, the one for log_print(). They
 * inherit the sandbox of the calling thread. May be called again, when something prints at last.
 * Returns 0, or -1 with errno.
 */
int log_start(bool prints);

/*
 * Wait until what has been logged is written, as long as the reader takes it: at most 200 ms for a
 * line and 1 s in all. Returns false if some of it is not.
 */
bool log_flush(void);

/* The same, also for what was printed, and end the threads. What is logged later is not written. */
void log_end(void);

/* What is less important than LEVEL is not logged. At start: LOG_LEVEL_INFO. Any thread. */
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

/* The same for information that comes of what clients do: LOG_SOME_LINES in 30 s. */
#define LOG_SOME_LINES 1000
void log_some(struct log_limit *limit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line for standard output, with its line feed. Printable already. Only after log_start(true). */
void log_print(const char *line, size_t len);

/* Would log_debug() write anything? For what is costly to find out only to be logged. */
bool log_is_verbose(void);

#endif
