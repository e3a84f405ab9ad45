/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/line_writer.h"
#include "common/text.h"

/* What was meant, and how much of it is shown when it was escaped. */
#define TEXT_BYTES  1024
#define SHOWN_BYTES 2048
#define NOTE_BYTES  64

/* A time, a name, a process number: what comes in front. */
#define HEAD_BYTES 128
#define LINE_BYTES (HEAD_BYTES + SHOWN_BYTES + NOTE_BYTES)

#define LIMIT_INTERVAL_NS (30 * CLOCK_S)

enum sink {
	SINK_AT_ONCE,	/* stderr, by the thread that logs */
	SINK_STDERR,
	SINK_JOURNAL,
	SINK_SYSLOG,
};

static enum sink sink = SINK_AT_ONCE;
/* Relaxed: it orders nothing. */
static _Atomic enum log_level max_level = LOG_LEVEL_INFO;

static const char *syslog_name;
static int syslog_fd = -1;

static struct line_writer log_writer;
static struct line_writer print_writer;

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

static int write_stderr(const char *line, size_t len)
{
	return io_write_all(STDERR_FILENO, line, len);
}

static int write_stdout(const char *line, size_t len)
{
	return io_write_all(STDOUT_FILENO, line, len);
}

/* To the name, not over a connection: a syslogd that was started again is found at once. */
static int write_syslog(const char *line, size_t len)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return sendto(syslog_fd, line, len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		       sizeof(to)) < 0
		       ? -1
		       : 0;
}

/* As syslogd(8) wants it, see RFC 3164: <PRIORITY>TIME NAME[PID]: */
static int write_syslog_head(char *head, size_t size, enum log_level level)
{
	time_t now = time(NULL);
	char at[32];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(at, sizeof(at), "%b %e %T", &tm);
	return snprintf(head, size, "<%d>%s %s[%d]: %s", LOG_DAEMON | priorities[level], at,
		syslog_name, (int)getpid(), prefixes[level]);
}

/* The whole line, as its sink wants it. Returns its length. */
static size_t make_line(char line[LINE_BYTES], enum log_level level, const char *shown,
	const char *note)
{
	int head;

	switch (sink) {
	case SINK_SYSLOG:
		head = write_syslog_head(line, HEAD_BYTES, level);
		break;
	case SINK_JOURNAL:
		head = snprintf(line, HEAD_BYTES, "<%d>", priorities[level]);
		break;
	default:
		head = snprintf(line, HEAD_BYTES, "%s", prefixes[level]);
		break;
	}
	return (size_t)head + (size_t)snprintf(line + head, LINE_BYTES - (size_t)head, "%s%s%s",
			shown, note, sink == SINK_SYSLOG ? "" : "\n");
}

/* Text may be a stranger's, all of it: a line is one line, and shows nothing but characters. */
static void write_line(enum log_level level, const char *text, const char *note)
{
	char shown[SHOWN_BYTES];
	char line[LINE_BYTES];
	size_t len;

	text_escape(shown, sizeof(shown), text, strlen(text));
	len = make_line(line, level, shown, note);
	if (sink == SINK_AT_ONCE) {
		/* A log that cannot be written leaves no one to tell. */
		(void)write_stderr(line, len);
	} else {
		line_writer_put(&log_writer, line, len);
	}
}

static size_t tell_lost(uint64_t lost, char *buf, size_t size)
{
	char text[NOTE_BYTES];
	char line[LINE_BYTES];
	size_t len;

	snprintf(text, sizeof(text), "%llu lines lost", (unsigned long long)lost);
	len = make_line(line, LOG_LEVEL_WARNING, text, "");
	len = len < size ? len : size;
	memcpy(buf, line, len);
	return len;
}

static size_t tell_lost_prints(uint64_t lost, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%llu lines lost\n", (unsigned long long)lost);
}

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
	static const struct line_output to_stderr = { "log", write_stderr, tell_lost };

	sink = stderr_is_journal() ? SINK_JOURNAL : SINK_STDERR;
	line_writer_init(&log_writer, &to_stderr);
}

int log_open_syslog(const char *name)
{
	static const struct line_output to_syslog = { "log", write_syslog, tell_lost };

	tzset();
	syslog_name = name;
	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (syslog_fd < 0) {
		return -1;
	}
	sink = SINK_SYSLOG;
	line_writer_init(&log_writer, &to_syslog);
	return 0;
}

int log_start(bool prints)
{
	static const struct line_output to_stdout = { "prints", write_stdout, tell_lost_prints };

	if (prints && !print_writer.output) {
		line_writer_init(&print_writer, &to_stdout);
	}
	return sink == SINK_AT_ONCE || line_writer_start(&log_writer) < 0 ||
			       (prints && line_writer_start(&print_writer) < 0)
		       ? -1
		       : 0;
}

bool log_flush(void)
{
	return sink == SINK_AT_ONCE || line_writer_flush(&log_writer);
}

void log_end(void)
{
	if (print_writer.started) {
		line_writer_end(&print_writer);
	}
	if (sink != SINK_AT_ONCE) {
		line_writer_end(&log_writer);
	}
}

void log_print(const char *line, size_t len)
{
	line_writer_put(&print_writer, line, len);
}

static bool is_shown(enum log_level level)
{
	return level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

bool log_is_verbose(void)
{
	return is_shown(LOG_LEVEL_DEBUG);
}

__attribute__((format(printf, 2, 0)))
static void log_va(enum log_level level, const char *format, va_list args)
{
	int saved = errno;
	char text[TEXT_BYTES];

	if (is_shown(level)) {
		vsnprintf(text, sizeof(text), format, args);
		write_line(level, text, "");
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
	char text[TEXT_BYTES];
	char note[NOTE_BYTES] = "";

	if (is_shown(level) && may_log(limit, lines, &held_back)) {
		vsnprintf(text, sizeof(text), format, args);
		if (held_back) {
			snprintf(note, sizeof(note), " (and %llu more like it)",
				(unsigned long long)held_back);
		}
		write_line(level, text, note);
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
