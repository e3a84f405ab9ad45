/* SPDX-License-Identifier: MIT */
#include "client/show/progress.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

#define FIRST_NS CLOCK_S
#define EACH_NS	 (200 * CLOCK_MS)

/* Enough to wipe away the longest line that is shown. */
#define WIDTH 60

void client_progress_init(struct progress *progress, bool wanted)
{
	*progress = (struct progress){
		.wanted = wanted && isatty(STDERR_FILENO),
		.next_ns = clock_now_ns() + FIRST_NS,
	};
}

uint64_t client_progress_wake_ns(const struct progress *progress)
{
	return progress->wanted ? progress->next_ns : CLOCK_NEVER;
}

static void write_line(const char *text)
{
	/* A terminal that has gone away shows no progress, and that is all. */
	(void)io_write_all(STDERR_FILENO, text, strlen(text));
}

void client_progress_show(struct progress *progress, const struct report *report)
{
	uint64_t now_ns = clock_now_ns();
	char line[2 * WIDTH];

	if (!progress->wanted || now_ns < progress->next_ns) {
		return;
	}
	progress->next_ns = now_ns + EACH_NS;
	progress->shown = true;
	snprintf(line, sizeof(line), "\r%zu of %zu done, %zu up, %zu down ",
		report->up + report->down, report->targets->count, report->up, report->down);
	write_line(line);
}

void client_progress_clear(struct progress *progress)
{
	char line[WIDTH + 3];

	if (progress->shown) {
		progress->shown = false;
		snprintf(line, sizeof(line), "\r%*s\r", WIDTH, "");
		write_line(line);
	}
}
