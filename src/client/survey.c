/* SPDX-License-Identifier: MIT */
#include "client/survey.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "client/ask/fleet.h"
#include "client/show/output.h"
#include "client/show/progress.h"
#include "client/show/summary.h"
#include "common/io.h"

/* From the beginning of one round to that of the next. */
#define ROUND_NS CLOCK_S

struct survey {
	const struct options *options;
	const struct targets *targets;
	struct fleet *fleet;
	struct report report;
	struct progress progress;
	FILE *out;
	const struct report_format *format;	/* NULL: text */
	bool streams;				/* rows are written as they come */
	sigset_t mask;				/* while waiting */
	int error;				/* what has gone wrong, errno */
};

/* Set by a signal handler, read by the loop that the signal wakes: one thread. */
static atomic_bool interrupted;

static void interrupt(int number)
{
	(void)number;
	atomic_store_explicit(&interrupted, true, memory_order_relaxed);
}

/* What is known is shown at ^C, too; a second one ends the program at once. */
static void catch_interrupts(struct survey *survey)
{
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESETHAND };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &survey->mask);
	sigaction(SIGINT, &action, NULL);
}

static bool is_interrupted(void)
{
	return atomic_load_explicit(&interrupted, memory_order_relaxed);
}

static void take(void *context, size_t at, const struct ask_outcome *outcome)
{
	struct survey *survey = context;

	if (report_take(&survey->report, at, outcome) < 0) {
		survey->error = errno;
	}
	if (survey->streams && survey->format->write(&survey->report, at, survey->out) < 0) {
		survey->error = errno;
	}
}

/* Ask all hosts. Returns 0, or -1 with errno. */
static int ask_all(struct survey *survey)
{
	int more = fleet_begin(survey->fleet, survey->targets, take, survey) < 0 ? -1 : 1;

	report_begin_round(&survey->report);
	while (more > 0) {
		more = fleet_step(survey->fleet, client_progress_wake_ns(&survey->progress),
			&survey->mask);
		if (is_interrupted()) {
			fleet_cancel(survey->fleet, "interrupted");
			more = 0;
		}
		if (survey->streams && fflush(survey->out) == EOF) {
			return -1;
		}
		client_progress_show(&survey->progress, &survey->report);
	}
	return more;
}

/* Wait, unless there is an interrupt, until the clock shows UNTIL_NS. */
static void wait_until(const struct survey *survey, uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns();

	if (until_ns > now_ns && !is_interrupted()) {
		const struct timespec rest = clock_timespec(until_ns - now_ns);

		(void)ppoll(NULL, 0, &rest, &survey->mask);
	}
}

static int ask_in_rounds(struct survey *survey)
{
	unsigned rounds = survey->options->count ? survey->options->count : 1;
	uint64_t next_ns = clock_now_ns();

	for (unsigned round = 0; round < rounds && !is_interrupted(); round++) {
		wait_until(survey, next_ns);
		if (ask_all(survey) < 0) {
			return -1;
		}
		next_ns += ROUND_NS;
	}
	return 0;
}

/* A host that has answered in any round is up. */
static void judge_counts(struct report *report)
{
	for (size_t i = 0; i < report->targets->count; i++) {
		report->rows[i].state = report->counts[i].answered ? REPORT_UP : REPORT_DOWN;
	}
	report_recount(report);
}

static const char *explain_shortage(int error)
{
	switch (error) {
	case EMFILE:
		return "descriptors were short, and hosts had to wait; see ulimit -n";
	case ENFILE:
		return "open files were short, and hosts had to wait; see sysctl fs.file-max";
	case ENOBUFS:
		return "buffers or neighbour entries were short, and hosts had to wait; see sysctl "
		       "net.ipv4.neigh.default.gc_thresh3";
	default:
		return NULL;
	}
}

static void summarize(const struct survey *survey)
{
	char summary[SUMMARY_BYTES];
	const char *shortage = explain_shortage(fleet_shortage(survey->fleet));

	if (survey->options->quiet) {
		return;
	}
	summary_format(&survey->report, summary);
	if (summary[0]) {
		cli_complain(&client_options_cli, "%s", summary);
	}
	if (shortage) {
		cli_complain(&client_options_cli, "%s", shortage);
	}
}

static int open_all(struct survey *survey)
{
	const struct options *options = survey->options;
	struct fleet_options fleet = {
		.ask = options->ask,
		.parallel = options->parallel,
		.interval_ns = options->interval_ns,
		.pass_fd = -1,
		.once = options->count > 0,
	};

	if (options->count) {
		/* What is lost is to be counted, and not to be made good. */
		fleet.ask.tries = 1;
		fleet.ask.wait = false;
	}
	survey->format = client_options_format(options);
	survey->streams = survey->format && !options->sorted && !options->reverse &&
			  !options->count;
	if (report_init(&survey->report, survey->targets, options->count > 0) < 0) {
		return -1;
	}
	survey->out = io_stdout();
	survey->fleet = fleet_open(&fleet);
	if (!survey->out || !survey->fleet) {
		return -1;
	}
	client_progress_init(&survey->progress,
		!options->quiet && !(survey->streams && isatty(STDOUT_FILENO)));
	return survey->format ? survey->format->begin(&survey->report, survey->out) : 0;
}

static int close_all(struct survey *survey)
{
	int result = survey->out ? fclose(survey->out) : 0;
	int error = errno;

	if (survey->fleet) {
		fleet_close(survey->fleet);
	}
	report_fini(&survey->report);
	errno = error;
	return result;
}

static enum verdict fail(const struct survey *survey)
{
	if (!survey->options->quiet) {
		cli_complain(&client_options_cli, "%s%s",
			survey->out && ferror(survey->out) ? "standard output: " : "",
			strerror(errno));
	}
	return VERDICT_SYSTEM;
}

enum verdict survey_run(const struct options *options, const struct targets *targets)
{
	struct survey survey = { .options = options, .targets = targets };
	enum verdict result;
	int asked;

	if (open_all(&survey) < 0) {
		result = fail(&survey);
		close_all(&survey);
		return result;
	}
	catch_interrupts(&survey);
	asked = ask_in_rounds(&survey);
	client_progress_clear(&survey.progress);
	if (asked == 0 && options->count) {
		judge_counts(&survey.report);
	}
	if (asked < 0 || survey.error ||
	    (!survey.streams && output_write(&survey.report, survey.format, options->sort,
					options->reverse, survey.out) < 0)) {
		errno = survey.error ? survey.error : errno;
		result = fail(&survey);
		close_all(&survey);
		return result;
	}
	if (fflush(survey.out) == EOF) {
		result = fail(&survey);
	} else {
		summarize(&survey);
		result = is_interrupted() ? VERDICT_INTERRUPTED
					  : verdict_judge(options, &survey.report);
	}
	close_all(&survey);
	return result;
}
