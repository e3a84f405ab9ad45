/* SPDX-License-Identifier: MIT */
#include "client/watch/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ask/fleet.h"
#include "client/show/table.h"
#include "client/watch/changes.h"
#include "client/watch/on_change.h"
#include "client/watch/screen.h"
#include "client/watch/view.h"
#include "common/io.h"

/* A screen is not drawn more often, and at least so often, for its clock. */
#define DRAW_LEAST_NS (100 * CLOCK_MS)
#define DRAW_MOST_NS  CLOCK_S

struct watch {
	const struct options *options;
	const struct targets *targets;
	struct fleet *fleet;
	struct report report;
	struct changes changes;
	struct view view;
	struct on_change *on_change;		/* NULL: no command */
	const struct report_format *format;	/* NULL: tables */
	FILE *out;				/* NULL: the screen */
	sigset_t mask;				/* while waiting */
	bool asking;				/* a round is under way */
	bool dirty;				/* there is something new to draw */
	uint64_t next_round_ns;
	uint64_t drawn_ns;
	unsigned failed_commands;
	int error;				/* what ends it, errno */
};

/* The signal that ends it, or 0. Set by a handler, read by the loop it wakes: one thread. */
static atomic_int ending;

static void end(int number)
{
	atomic_store_explicit(&ending, number, memory_order_relaxed);
}

static void wake(int number)
{
	(void)number;
}

static int ended_by(void)
{
	return atomic_load_explicit(&ending, memory_order_relaxed);
}

/* All these are blocked but while the loop waits, so that none is missed. */
static void catch_signals(struct watch *watch)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = end };
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaddset(&set, ends[i]);
		sigaction(ends[i], &action, NULL);
	}
	action.sa_handler = wake;
	sigaction(SIGCHLD, &action, NULL);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &watch->mask);
}

static void take(void *context, size_t at, const struct ask_outcome *outcome)
{
	struct watch *watch = context;
	const struct report_row *row = &watch->report.rows[at];
	enum change change;

	if (report_take(&watch->report, at, outcome) < 0) {
		watch->error = errno;
		return;
	}
	change = changes_note(&watch->changes, at, row, clock_now_ns(), time(NULL));
	if (change != CHANGE_NONE && watch->on_change) {
		/* One that is dropped is counted there. */
		(void)on_change_add(watch->on_change, watch->targets->list[at].text, change, row);
	}
	if (watch->format && watch->format->write(&watch->report, at, watch->out) < 0) {
		watch->error = errno;
	}
	watch->dirty = true;
}

static int begin_round(struct watch *watch)
{
	report_begin_round(&watch->report);
	watch->next_round_ns = clock_now_ns() + watch->options->watch_ns;
	watch->asking = true;
	return fleet_begin(watch->fleet, watch->targets, take, watch);
}

/* One table of many, for a file or a pipe. */
static void print_table(struct watch *watch)
{
	const struct view *view = &watch->view;
	struct table table;
	char row[TABLE_ROW_BYTES];
	char clock[32];
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &local);
	fprintf(watch->out, "%s  %zu hosts, %zu up, %zu down\n", clock, watch->targets->count,
		watch->report.up, watch->report.down);
	table_init(&table, &watch->report, view->order, view->count);
	for (size_t i = 0; i < view->count; i++) {
		enum change last = watch->changes.hosts[view->order[i]].last;

		table_format(&table, &watch->report, view->order[i], row);
		fprintf(watch->out, "%s%s%s\n", row, last == CHANGE_NONE ? "" : "  <- ",
			change_name(last));
	}
	fputc('\n', watch->out);
	changes_clear(&watch->changes);
}

static int end_round(struct watch *watch)
{
	watch->asking = false;
	if (!watch->out) {
		return 0;
	}
	if (!watch->format) {
		if (view_update(&watch->view) < 0) {
			return -1;
		}
		print_table(watch);
	}
	return fflush(watch->out) == EOF ? -1 : 0;
}

static int draw(struct watch *watch)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns < watch->drawn_ns + (watch->dirty ? DRAW_LEAST_NS : DRAW_MOST_NS)) {
		return 0;
	}
	if (!watch->view.frozen && view_update(&watch->view) < 0) {
		return -1;
	}
	watch->drawn_ns = now_ns;
	watch->dirty = false;
	screen_draw(&watch->view, watch->options->watch_ns);
	return 0;
}

static int take_keys(struct watch *watch)
{
	int key;

	while ((key = screen_key()) >= 0) {
		view_take_key(&watch->view, key);
		if (view_update(&watch->view) < 0) {
			return -1;
		}
		watch->drawn_ns = 0;
		watch->dirty = true;
	}
	return 0;
}

static uint64_t wake_ns(const struct watch *watch)
{
	uint64_t wake_ns = CLOCK_NEVER;

	if (watch->asking) {
		wake_ns = fleet_wake_ns(watch->fleet);
	} else if (!watch->view.frozen) {
		wake_ns = watch->next_round_ns;
	}
	if (!watch->out) {
		uint64_t draw_ns = watch->drawn_ns + (watch->dirty ? DRAW_LEAST_NS : DRAW_MOST_NS);

		wake_ns = draw_ns < wake_ns ? draw_ns : wake_ns;
	}
	return wake_ns;
}

/* Wait for an answer, a key, a signal, or the clock. Returns 0, or -1 when the terminal is lost. */
static int wait(struct watch *watch)
{
	struct pollfd fds[] = {
		{ .fd = watch->asking ? fleet_fd(watch->fleet) : -1, .events = POLLIN },
		{ .fd = watch->out ? -1 : STDIN_FILENO, .events = POLLIN },
	};
	const uint64_t at_ns = wake_ns(watch);
	const uint64_t now_ns = clock_now_ns();
	const struct timespec rest = clock_timespec(at_ns > now_ns ? at_ns - now_ns : 0);

	if (ppoll(fds, 2, at_ns == CLOCK_NEVER ? NULL : &rest, &watch->mask) < 0) {
		return errno == EINTR ? 0 : -1;
	}
	if (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		errno = EIO;
		return -1;
	}
	return 0;
}

static int step(struct watch *watch)
{
	if (!watch->asking && !watch->view.frozen && clock_now_ns() >= watch->next_round_ns &&
	    begin_round(watch) < 0) {
		return -1;
	}
	if (wait(watch) < 0) {
		return -1;
	}
	if (watch->asking) {
		int more = fleet_step(watch->fleet, 0, NULL);

		if (more < 0 || (more == 0 && end_round(watch) < 0)) {
			return -1;
		}
	}
	if (watch->error) {
		errno = watch->error;
		return -1;
	}
	if (watch->on_change) {
		watch->failed_commands += on_change_step(watch->on_change);
	}
	return watch->out ? 0 : take_keys(watch) < 0 ? -1 : draw(watch);
}

static int open_all(struct watch *watch)
{
	const struct options *options = watch->options;
	struct fleet_options fleet = {
		.ask = options->ask,
		.parallel = options->parallel,
		.interval_ns = options->interval_ns,
		.pass_fd = -1,
	};
	const bool live = options->format == OPTIONS_TEXT && screen_open() == 0;

	/* The next round is another try. */
	fleet.ask.tries = options->has_tries ? options->ask.tries : 1;
	fleet.ask.wait = false;
	watch->format = client_options_format(options);
	if (!live) {
		watch->out = io_stdout();
	}
	watch->fleet = fleet_open(&fleet);
	if ((!live && !watch->out) || !watch->fleet ||
	    report_init(&watch->report, watch->targets, false) < 0 ||
	    changes_init(&watch->changes, watch->targets->count) < 0) {
		return -1;
	}
	if (options->on_change) {
		watch->on_change = on_change_open(options->on_change, live);
		if (!watch->on_change) {
			return -1;
		}
	}
	view_init(&watch->view, &watch->report, &watch->changes, options->sort, options->reverse);
	return watch->format ? watch->format->begin(&watch->report, watch->out) : 0;
}

static void close_all(struct watch *watch)
{
	screen_close();
	if (watch->fleet) {
		fleet_close(watch->fleet);
	}
	if (watch->out) {
		/* What could not be written has been noticed at the end of its round. */
		(void)fclose(watch->out);
	}
	on_change_close(watch->on_change);
	view_fini(&watch->view);
	changes_fini(&watch->changes);
	if (watch->report.rows) {
		report_fini(&watch->report);
	}
}

enum verdict watch_run(const struct options *options, const struct targets *targets)
{
	struct watch watch = { .options = options, .targets = targets };
	enum verdict result = VERDICT_SYSTEM;
	int failed = open_all(&watch);
	bool unwritten;
	int error;

	catch_signals(&watch);
	while (!failed && !watch.view.quit && !ended_by()) {
		failed = step(&watch);
	}
	error = errno;
	unwritten = watch.out && ferror(watch.out);
	if (!failed && !ended_by()) {
		report_recount(&watch.report);
		result = verdict_judge(options, &watch.report);
	} else if (ended_by()) {
		result = (enum verdict)(128 + ended_by());
	}
	close_all(&watch);
	if (failed && !options->quiet) {
		cli_complain(&client_options_cli, "%s%s", unwritten ? "standard output: " : "",
			strerror(error));
	}
	if (watch.failed_commands && !options->quiet) {
		cli_complain(&client_options_cli, "--on-change: %u commands failed",
			watch.failed_commands);
	}
	return result;
}
