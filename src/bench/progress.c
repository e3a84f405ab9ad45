/* SPDX-License-Identifier: MIT */
#include "bench/progress.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/figure.h"
#include "bench/lane.h"
#include "common/clock.h"

#define INTERVAL_NS	  (500 * CLOCK_MS)
#define PLAIN_INTERVAL_NS (5 * CLOCK_S)
#define WIPE		  "\r\033[K"
#define COLUMNS		  80	/* where the terminal does not say */

static uint64_t interval_ns(const struct progress *progress)
{
	return progress->plain ? PLAIN_INTERVAL_NS : INTERVAL_NS;
}

void progress_init(struct progress *progress, bool shown)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.shown = shown,
		.plain = !term || !term[0] || strcmp(term, "dumb") == 0,
	};
	progress->next_ns = clock_now_ns() + interval_ns(progress);
}

void progress_announce(struct progress *progress, uint64_t left_ns, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vsnprintf(progress->what, sizeof(progress->what), what, args);
	va_end(args);
	progress->all_end_ns = clock_now_ns() + left_ns;
}

void progress_run(struct progress *progress, uint64_t measure_ns, uint64_t end_ns)
{
	progress->measure_ns = measure_ns;
	progress->end_ns = end_ns;
	progress->last_ns = clock_now_ns();
	progress->last_answered = 0;
}

uint64_t progress_next_ns(const struct progress *progress)
{
	return progress->shown ? progress->next_ns : CLOCK_NEVER;
}

static unsigned columns(void)
{
	struct winsize size = { 0 };

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col :
		COLUMNS;
}

/* What goes on and how long it takes: "A, round 3 of 40, 12 s left". */
static void describe(const struct progress *progress, uint64_t now_ns, char *buf, size_t size)
{
	const char *phase = now_ns < progress->measure_ns ? "warm-up" :
		now_ns < progress->end_ns ? "measuring" : "last answers";
	uint64_t end_ns = progress->all_end_ns ? progress->all_end_ns :
		now_ns < progress->measure_ns ? progress->measure_ns : progress->end_ns;
	int len = snprintf(buf, size, "%s", progress->what[0] ? progress->what : phase);

	if (end_ns != CLOCK_NEVER && end_ns > now_ns && len >= 0 && (size_t)len < size) {
		snprintf(buf + len, size - (size_t)len, ", %llu s left",
			(unsigned long long)((end_ns - now_ns + CLOCK_S - 1) / CLOCK_S));
	}
}

static void print(struct progress *progress, const char *line)
{
	/* One column less: a full line would make some terminals scroll. */
	unsigned width = columns() - 1;

	if (progress->plain) {
		fprintf(stderr, "%s\n", line);
		return;
	}
	fprintf(stderr, WIPE "%.*s", (int)width, line);
	progress->drawn = true;
}

void progress_show(struct progress *progress, const struct lane *lanes, uint32_t count,
	uint64_t now_ns)
{
	uint64_t answered = 0;
	uint64_t failed = 0;
	unsigned in_flight = 0;
	char what[128];
	char line[256];

	if (!progress->shown || now_ns < progress->next_ns || now_ns == progress->last_ns) {
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		answered += atomic_load_explicit(&lanes[i].shown_answered, memory_order_relaxed);
		failed += atomic_load_explicit(&lanes[i].shown_failed, memory_order_relaxed);
		in_flight += atomic_load_explicit(&lanes[i].shown_running, memory_order_relaxed);
	}
	describe(progress, now_ns, what, sizeof(what));
	snprintf(line, sizeof(line), "%s: %s answers/s, %u in flight, %s failed", what,
		figure_number((double)(answered - progress->last_answered) * CLOCK_S /
			(double)(now_ns - progress->last_ns)).text,
		in_flight, figure_count(failed).text);
	print(progress, line);
	progress->last_answered = answered;
	progress->last_ns = now_ns;
	progress->next_ns = now_ns + interval_ns(progress);
}

void progress_end(struct progress *progress)
{
	if (progress->drawn) {
		fputs(WIPE, stderr);
		progress->drawn = false;
	}
}
