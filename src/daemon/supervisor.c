/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "daemon/life/notify.h"
#include "daemon/life/pid_file.h"
#include "daemon/life/signals.h"
#include "daemon/run/procps.h"

/* A drain that takes this long has its runs given up; then it has little left to wait for. */
#define GIVE_UP_NS (3500 * CLOCK_MS)
#define STOP_NS	   (4800 * CLOCK_MS)

/*
 * A stop often comes twice, to the process and to its group: a repeat within this is the same one.
 */
#define REPEAT_NS (500 * CLOCK_MS)

/* Between two tries of main when it cannot wait for what it waits for. */
#define POLL_FAILED_MS 100

/* How often a manager is told how it goes. */
#define REPORT_NS (10 * CLOCK_S)

/* How long the runner may take to end by itself when there is no time to lose. */
#define RUNNER_END_MS 100

static void stop_server(void *argument)
{
	struct daemon *daemon = argument;

	server_stop(daemon->now->server);
	io_event_set(daemon->stopped_fd);
}

/* Returns false when there is no keeper any more. */
static bool mind_runner(struct daemon *daemon)
{
	static struct log_limit limit;
	struct message_report failed;

	switch (runner_hear(daemon->runner, &failed)) {
	case RUNNER_NO_NEWS:
		break;
	case RUNNER_STARTED:
		log_limited(&limit, "the runner process died and was started again");
		break;
	case RUNNER_NOT_STARTED:
		log_limited(&limit, "the runner process cannot be started: %s: %s", failed.call,
			strerror(failed.error));
		break;
	case RUNNER_NO_KEEPER:
		log_error("the keeper process has died, which alone can start the command");
		return false;
	}
	return true;
}

/* As process 1 we get the orphans of a whole container; and exec keeps the children of a shell. */
static void reap_children(void)
{
	while (waitpid(-1, NULL, WNOHANG | __WNOTHREAD) > 0) {
	}
}

/* Without waiting for the threads; but nothing of ours stays behind. */
static _Noreturn void leave(struct daemon *daemon, int status)
{
	listener_let_go(&daemon->now->listeners, daemon->stopped_fd);
	if (daemon->before) {
		listener_let_go(&daemon->before->listeners, daemon->stopped_fd);
	}
	listener_let_go(&daemon->metrics_listeners, daemon->stopped_fd);
	listener_let_go(&daemon->succession.socket, daemon->stopped_fd);
	reader_free(daemon->reader);
	runner_end(daemon->runner, RUNNER_END_MS);
	sandbox_free(daemon->sandbox);
	pid_file_close(daemon->settings.pid_file, &daemon->pid_fd);
	log_end();
	_exit(status);
}

/* What the loop of main knows besides the process itself. */
struct supervision {
	struct daemon *daemon;
	uint64_t stop_ns;	/* when the next step of a stop is due; CLOCK_NEVER: none is */
	uint64_t impatient_ns;	/* from when on a stop is a new order; CLOCK_NEVER: none came */
	uint64_t report_ns;	/* when the manager is to hear of us next */
	bool given_up;
	int status;
	enum { RELOAD_NONE, RELOAD_READING, RELOAD_DRAINING } reload;
	uint64_t reload_ns;	/* when it began */
	bool reload_again;	/* it was asked for once more meanwhile */
	bool stop_later;	/* once the server before is drained */
};

/* Another thread stops the server, so that this one can go on minding signals and runner. */
static void begin_stop(struct supervision *supervision)
{
	struct daemon *daemon = supervision->daemon;

	if (supervision->stop_ns == CLOCK_NEVER) {
		pid_t taker = succession_close(&daemon->succession);

		if (taker) {
			log_info("process %d has taken over; draining", (int)taker);
			notify_main_pid(taker);
		} else {
			log_info("stopping");
			notify_stopping();
		}
		/* Relaxed: it orders nothing. */
		atomic_store_explicit(&daemon->draining, true, memory_order_relaxed);
		supervision->stop_ns = clock_now_ns() + GIVE_UP_NS;
	}
	supervision->stop_later = supervision->reload == RELOAD_DRAINING;
	if (!supervision->stop_later) {
		starter_begin(daemon->starter, stop_server, daemon);
	}
}

static void begin_reload(struct supervision *supervision)
{
	struct daemon *daemon = supervision->daemon;

	if (!daemon->reader) {
		log_info("nothing to reload: there is no configuration file");
		return;
	}
	if (supervision->impatient_ns != CLOCK_NEVER) {
		return;
	}
	if (supervision->reload != RELOAD_NONE) {
		supervision->reload_again = true;
		return;
	}
	notify_reloading();
	supervision->reload = RELOAD_READING;
	supervision->reload_ns = clock_now_ns();
	reader_ask(daemon->reader);
}

static void end_reload(struct supervision *supervision)
{
	int none = -1;

	supervision->reload = RELOAD_NONE;
	notify_ready(&none);
	if (supervision->reload_again) {
		supervision->reload_again = false;
		begin_reload(supervision);
	}
}

static void start_next(void *argument)
{
	struct daemon *daemon = argument;
	struct generation *next = daemon->next;

	if (log_start(next->settings.print_messages) == 0) {
		next->server = server_start(&next->settings, &next->listeners, daemon->runner);
	}
	daemon->server_error = errno;
}

static void drain_before(void *argument)
{
	struct daemon *daemon = argument;

	server_stop(daemon->before->server);
	io_event_set(daemon->drained_fd);
}

static void log_lines(char *lines)
{
	for (char *state, *line = strtok_r(lines, "\n", &state); line;
		line = strtok_r(NULL, "\n", &state)) {
		log_info("reload: %s", line);
	}
}

/* The next server serves, and the one before has to answer only what it has taken. */
static void switch_over(struct supervision *supervision, struct reading *reading)
{
	struct daemon *daemon = supervision->daemon;

	reader_confirm(daemon->reader, true);
	log_set_level(daemon->next->settings.log_level);
	log_lines(reading->text);
	generation_hand_over(daemon->now, daemon->next);
	server_follow(daemon->next->server, daemon->now->server);
	pthread_mutex_lock(&daemon->lock);
	daemon->before = daemon->now;
	daemon->now = daemon->next;
	pthread_mutex_unlock(&daemon->lock);
	daemon->next = NULL;
	supervision->reload = RELOAD_DRAINING;
	starter_begin(daemon->starter, drain_before, daemon);
}

/* The server that was taken over has drained. */
static void take_counters(struct supervision *supervision)
{
	struct daemon *daemon = supervision->daemon;

	pthread_mutex_lock(&daemon->lock);
	succession_take_counters(&daemon->succession, daemon->now->server);
	pthread_mutex_unlock(&daemon->lock);
}

/* All or nothing: whatever fails, the server goes on as it is. */
static void take_reading(struct supervision *supervision)
{
	static struct reading reading;
	struct daemon *daemon = supervision->daemon;
	char why[512] = "";

	if (reader_take(daemon->reader, &reading) < 0) {
		log_error("the reader process has died: no reload any more");
		reader_free(daemon->reader);
		daemon->reader = NULL;
		supervision->reload = RELOAD_NONE;
		return;
	}
	if (!reading.ok) {
		log_error("reload: %s; the configuration stays as it was", reading.text);
		reader_confirm(daemon->reader, false);
		end_reload(supervision);
		return;
	}
	/* A server that takes over must not miss what changes; one that has is the end. */
	daemon->next = supervision->impatient_ns != CLOCK_NEVER ||
				       succession_suspend(&daemon->succession)
			       ? NULL
			       : generation_next(daemon->now, &reading, daemon->uid, daemon->gid,
					 why, sizeof(why));
	if (daemon->next) {
		starter_begin(daemon->starter, start_next, daemon);
		starter_await(daemon->starter);
	}
	if (daemon->next && daemon->next->server) {
		switch_over(supervision, &reading);
		succession_resume(&daemon->succession, &daemon->now->listeners,
			&daemon->metrics_listeners);
		return;
	}
	if (daemon->next) {
		snprintf(why, sizeof(why), "%s", strerror(daemon->server_error));
		generation_drop(daemon->next);
		daemon->next = NULL;
	}
	if (supervision->impatient_ns == CLOCK_NEVER) {
		succession_resume(&daemon->succession, &daemon->now->listeners,
			&daemon->metrics_listeners);
	}
	log_error("reload: %s; the configuration stays as it was", why[0] ? why : "stopping");
	reader_confirm(daemon->reader, false);
	end_reload(supervision);
}

static void take_drained(struct supervision *supervision)
{
	struct daemon *daemon = supervision->daemon;
	uint64_t ignored;

	(void)!read(daemon->drained_fd, &ignored, sizeof(ignored));
	pthread_mutex_lock(&daemon->lock);
	server_absorb(daemon->now->server);
	pthread_mutex_unlock(&daemon->lock);
	server_free(daemon->before->server);
	generation_free(daemon->before);
	daemon->before = NULL;
	log_info("reload: done in %llu ms",
		(unsigned long long)((clock_now_ns() - supervision->reload_ns) / CLOCK_MS));
	end_reload(supervision);
	if (supervision->stop_later) {
		begin_stop(supervision);
	}
}

/* Only what workers do keeps a watchdog quiet: main itself would always say that all is well. */
static void report(struct supervision *supervision)
{
	static struct log_limit limit;
	struct server *server = supervision->daemon->now->server;
	uint64_t now_ns = clock_now_ns();
	uint64_t interval_ns = notify_watchdog_ns();
	char status[256];

	if (interval_ns != CLOCK_NEVER) {
		if (server_makes_progress(server, now_ns)) {
			notify_alive();
		} else {
			log_limited(&limit, "no worker makes progress");
		}
	}
	server_describe(server, status, sizeof(status));
	notify_status(status);
	supervision->report_ns = now_ns + (interval_ns < REPORT_NS ? interval_ns : REPORT_NS);
}

static void take_signal(struct supervision *supervision, int signal_number)
{
	struct daemon *daemon = supervision->daemon;

	switch (signal_number) {
	case 0:
		return;
	case SIGCHLD:
		reap_children();
		return;
	case SIGUSR1:
		server_log_state(daemon->now->server);
		return;
	case SIGHUP:
		begin_reload(supervision);
		return;
	}
	if (supervision->impatient_ns == CLOCK_NEVER) {
		begin_stop(supervision);
		supervision->impatient_ns = clock_now_ns() + REPEAT_NS;
		/* The manager knows, and the workers are about to end. */
		supervision->report_ns = CLOCK_NEVER;
	} else if (clock_now_ns() >= supervision->impatient_ns) {
		log_warning("stopping at once; some clients are not answered");
		leave(daemon, EXIT_FAILED);
	}
}

/* The stop takes long: runs are given up first, and then all. */
static void hasten_stop(struct supervision *supervision)
{
	if (supervision->given_up) {
		log_warning("stopping has taken too long; some clients are not answered");
		leave(supervision->daemon, supervision->status);
	}
	supervision->given_up = true;
	runner_give_up(supervision->daemon->runner);
	procps_give_up();
	supervision->stop_ns += STOP_NS - GIVE_UP_NS;
}

static void do_what_is_due(struct supervision *supervision)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= supervision->stop_ns) {
		hasten_stop(supervision);
	}
	if (now_ns >= succession_due_ns(&supervision->daemon->succession)) {
		succession_mind(&supervision->daemon->succession,
			&supervision->daemon->now->listeners);
	}
	if (now_ns >= supervision->report_ns) {
		report(supervision);
	}
}

int supervisor_run(struct daemon *daemon)
{
	struct pollfd fds[] = {
		{ .fd = daemon->stopped_fd, .events = POLLIN },
		{ .fd = daemon->signal_fd, .events = POLLIN },
		{ .fd = runner_watch_fd(daemon->runner), .events = POLLIN },
		{ .fd = sandbox_news_fd(daemon->sandbox), .events = POLLIN },
		{ .fd = daemon->drained_fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	struct supervision supervision = {
		.daemon = daemon,
		.stop_ns = CLOCK_NEVER,
		.impatient_ns = CLOCK_NEVER,
		.report_ns = notify_has_manager() ? 0 : CLOCK_NEVER,
		.status = EXIT_CLEAN,
	};

	reap_children();
	for (;;) {
		uint64_t due_ns = supervision.stop_ns < supervision.report_ns
					  ? supervision.stop_ns
					  : supervision.report_ns;
		int ready;

		if (succession_due_ns(&daemon->succession) < due_ns) {
			due_ns = succession_due_ns(&daemon->succession);
		}
		fds[5].fd = daemon->reader ? reader_watch_fd(daemon->reader) : -1;
		fds[6].fd = supervision.impatient_ns == CLOCK_NEVER
				    ? succession_taken_fd(&daemon->succession)
				    : -1;
		fds[7].fd = succession_drained_fd(&daemon->succession);
		ready = poll(fds, sizeof(fds) / sizeof(fds[0]), clock_poll_ms(due_ns));

		if (ready < 0) {
			/* Not for long: it must not take a processor from those who serve. */
			(void)poll(NULL, 0, POLL_FAILED_MS);
		}
		if (ready > 0 && fds[0].revents) {
			return supervision.status;
		}
		if (ready > 0 && fds[3].revents && !sandbox_log_news(daemon->sandbox)) {
			fds[3].fd = -1;
		}
		if (ready > 0 && fds[2].revents && !mind_runner(daemon)) {
			/* A supervisor can start what we cannot any more. */
			fds[2].fd = -1;
			supervision.status = EXIT_FAILED;
			if (supervision.impatient_ns == CLOCK_NEVER) {
				take_signal(&supervision, SIGTERM);
			}
		}
		if (ready > 0 && fds[6].revents) {
			take_signal(&supervision, SIGTERM);
		}
		if (ready > 0 && fds[7].revents) {
			take_counters(&supervision);
		}
		if (ready > 0 && fds[1].revents) {
			take_signal(&supervision, signals_next(daemon->signal_fd));
		}
		if (ready > 0 && fds[4].revents) {
			take_drained(&supervision);
		}
		if (ready > 0 && fds[5].revents) {
			take_reading(&supervision);
		}
		do_what_is_due(&supervision);
	}
}
