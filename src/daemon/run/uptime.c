/* SPDX-License-Identifier: MIT */
#include "daemon/run/uptime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/run/procps.h"

/* Of more digits no count of users is made. */
#define USERS_DIGITS 6

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct uptime {
	enum settings_source source;
	struct runner *runner;
	uint64_t run_timeout_ns;
	uint64_t max_age_ns;
	uint64_t started_ns;	/* of the run that made LAST */
	struct uptime_line last;
	struct command_result result;
	_Atomic int users;
	/* What the last run of the command was; read by main, and nothing depends on it. */
	_Atomic(const char *) start;
	char cold_reason[sizeof(((struct command_result *)NULL)->cold_reason)];
	bool has_news;		/* COLD_REASON has changed */
};

struct uptime *uptime_new(enum settings_source source, struct runner *runner,
	uint64_t run_timeout_ns, uint64_t max_age_ns)
{
	struct uptime *uptime = calloc(1, sizeof(*uptime));

	if (uptime) {
		uptime->source = source;
		uptime->runner = runner;
		uptime->run_timeout_ns = run_timeout_ns;
		uptime->max_age_ns = max_age_ns;
		atomic_init(&uptime->users, -1);
		atomic_init(&uptime->start, "");
	}
	return uptime;
}

void uptime_free(struct uptime *uptime)
{
	free(uptime);
}

void uptime_line_copy(struct uptime_line *to, const struct uptime_line *from)
{
	to->ok = from->ok;
	to->len = from->len;
	memcpy(to->text, from->text, from->len);
}

/* The number before " user" in LINE; -1 if there is none. */
static int count_users(const char *line)
{
	const char *word = strstr(line, " user");
	const char *digits = word;

	while (digits && digits > line && digits[-1] >= '0' && digits[-1] <= '9') {
		digits--;
	}
	return digits == word || word - digits > USERS_DIGITS ? -1 : atoi(digits);
}

int uptime_users(const struct uptime *uptime)
{
	return atomic_load_explicit(&uptime->users, memory_order_relaxed);
}

static bool is_young(const struct uptime *uptime)
{
	return uptime->max_age_ns && uptime->last.ok &&
	       clock_now_ns() - uptime->started_ns < uptime->max_age_ns;
}

uint64_t uptime_timeout_ns(uint64_t run_timeout_ns, bool hung, uint64_t age_ns)
{
	uint64_t limit_ns = run_timeout_ns + UPTIME_PATIENCE_NS;
	uint64_t timeout_ns = UPTIME_SHORTEST_NS;

	if (hung && age_ns + timeout_ns < limit_ns) {
		timeout_ns = limit_ns - age_ns;
	}
	return hung && timeout_ns < run_timeout_ns ? timeout_ns : run_timeout_ns;
}

const char *uptime_start(const struct uptime *uptime)
{
	return atomic_load_explicit(&uptime->start, memory_order_relaxed);
}

const char *uptime_news(struct uptime *uptime)
{
	bool has_news = uptime->has_news;

	uptime->has_news = false;
	return has_news && uptime->cold_reason[0] ? uptime->cold_reason : NULL;
}

/* How the command was started, and why not otherwise. */
static void note_start(struct uptime *uptime)
{
	const struct command_result *result = &uptime->result;

	atomic_store_explicit(&uptime->start, result->warm ? "warm" : "cold", memory_order_relaxed);
	if (strcmp(uptime->cold_reason, result->cold_reason) != 0) {
		memcpy(uptime->cold_reason, result->cold_reason, sizeof(uptime->cold_reason));
		uptime->has_news = true;
	}
}

/* One run, to UPTIME->result. Two servers take turns, while one follows the other. */
static void run(struct uptime *uptime, uint64_t oldest_ns)
{
	uint64_t age_ns = uptime->started_ns > oldest_ns ? uptime->started_ns - oldest_ns : 0;
	uint64_t timeout_ns =
		uptime_timeout_ns(uptime->run_timeout_ns, uptime->result.timed_out, age_ns);

	pthread_mutex_lock(&one_at_a_time);
	if (uptime->source == SETTINGS_PROCPS) {
		procps_measure(timeout_ns, &uptime->result);
	} else {
		runner_run(uptime->runner, timeout_ns, &uptime->result);
		note_start(uptime);
	}
	pthread_mutex_unlock(&one_at_a_time);
}

void uptime_measure(struct uptime *uptime, uint64_t oldest_ns, struct stats_counters *counters,
	struct uptime_line *line)
{
	struct uptime_line *last = &uptime->last;

	if (!is_young(uptime)) {
		uptime->started_ns = clock_now_ns();
		run(uptime, oldest_ns);
		last->ok = uptime->result.ok;
		last->len = (size_t)snprintf(last->text, sizeof(last->text), "%s%s\n",
			last->ok ? "" : PROTOCOL_ERROR_PREFIX, uptime->result.text);
		stats_add(last->ok ? &counters->runs_ok : &counters->runs_failed, 1);
		stats_observe(&counters->run_time, clock_now_ns() - uptime->started_ns, 1);
		if (last->ok) {
			/* Relaxed: a figure to show, which orders nothing. */
			atomic_store_explicit(&uptime->users, count_users(last->text),
				memory_order_relaxed);
		}
	}
	uptime_line_copy(line, last);
}
