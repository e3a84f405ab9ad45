/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"

#define LINE_BYTES	  1024
#define NOTE_BYTES	  64
#define LIMIT_INTERVAL_NS (30 * CLOCK_S)

enum sink { SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG };

static enum sink sink = SINK_STDERR;
static enum log_level max_level = LOG_LEVEL_INFO;

static const int priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static const char *const prefixes[] = {
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARNING] = "warning: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

/* systemd.exec(5): JOURNAL_STREAM holds device:inode of the stream that is the journal's. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open_stderr(void)
{
	sink = stderr_is_journal() ? SINK_JOURNAL : SINK_STDERR;
}

void log_open_syslog(const char *name)
{
	openlog(name, LOG_PID, LOG_DAEMON);
	sink = SINK_SYSLOG;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_is_verbose(void)
{
	return max_level >= LOG_LEVEL_DEBUG;
}

/* One write() a line: lines of several threads never mix. */
static void write_line(enum log_level level, const char *text)
{
	char line[LINE_BYTES + 32];
	int len;

	if (sink == SINK_SYSLOG) {
		syslog(priorities[level], "%s%s", prefixes[level], text);
		return;
	}
	if (sink == SINK_JOURNAL) {
		len = snprintf(line, sizeof(line), "<%d>%s\n", priorities[level], text);
	} else {
		len = snprintf(line, sizeof(line), "%s%s\n", prefixes[level], text);
	}
	/* A log that cannot be written has nobody left to be told. */
	(void)!write(STDERR_FILENO, line, (size_t)len);
}

__attribute__((format(printf, 2, 0)))
static void log_va(enum log_level level, const char *format, va_list args)
{
	int saved = errno;
	char text[LINE_BYTES];

	if (level <= max_level) {
		vsnprintf(text, sizeof(text), format, args);
		write_line(level, text);
	}
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		log_va(level, format, args);                                                       \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

/* Is this one of the first LINES of its interval? *HELD_BACK: how many of the last were not. */
static bool may_log(struct log_limit *limit, uint64_t lines, uint64_t *held_back)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t next_ns = atomic_load_explicit(&limit->next_ns, memory_order_relaxed);

	*held_back = 0;
	if (now_ns >= next_ns &&
	    atomic_compare_exchange_strong_explicit(&limit->next_ns, &next_ns,
		    now_ns + LIMIT_INTERVAL_NS, memory_order_relaxed, memory_order_relaxed)) {
		atomic_store_explicit(&limit->logged, 1, memory_order_relaxed);
		*held_back = atomic_exchange_explicit(&limit->held_back, 0, memory_order_relaxed);
		return true;
	}
	if (atomic_fetch_add_explicit(&limit->logged, 1, memory_order_relaxed) < lines) {
		return true;
	}
	atomic_fetch_add_explicit(&limit->held_back, 1, memory_order_relaxed);
	return false;
}

__attribute__((format(printf, 4, 0)))
static void log_limited_va(enum log_level level, struct log_limit *limit, uint64_t lines,
	const char *format, va_list args)
{
	int saved = errno;
	uint64_t held_back;
	char text[LINE_BYTES];

	if (level <= max_level && may_log(limit, lines, &held_back)) {
		vsnprintf(text, sizeof(text) - NOTE_BYTES, format, args);
		if (held_back) {
			snprintf(text + strlen(text), NOTE_BYTES, " (and %llu more like it)",
				(unsigned long long)held_back);
		}
		write_line(level, text);
	}
	errno = saved;
}

void log_limited(struct log_limit *limit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_limited_va(LOG_LEVEL_WARNING, limit, 1, format, args);
	va_end(args);
}

void log_some(struct log_limit *limit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_limited_va(LOG_LEVEL_INFO, limit, LOG_SOME_LINES, format, args);
	va_end(args);
}
