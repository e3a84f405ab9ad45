/* SPDX-License-Identifier: MIT */
/*
 * ruptimed: from the command line to the running pipeline, and back down in order.
 *
 *	options, daemonize, pid file	nothing is open yet
 *	keeper, and by it the runner	before any thread or socket exists
 *	listeners, privileges		the last that needs root
 *	sandbox				from here on nothing is executed and nothing forked
 *	server				threads
 *	signals, runner's health	until told to stop
 *
 * The main thread alone takes signals; every other thread has them all blocked.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/announce.h"
#include "daemon/life/activation.h"
#include "daemon/life/daemonize.h"
#include "daemon/life/notify.h"
#include "daemon/life/pid_file.h"
#include "daemon/life/privileges.h"
#include "daemon/life/signals.h"
#include "daemon/options.h"
#include "daemon/policy/connections.h"
#include "daemon/run/warm.h"
#include "daemon/supervisor.h"

static struct daemon the_daemon = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.signal_fd = -1,
	.status_fd = -1,
	.pid_fd = -1,
	.stopped_fd = -1,
	.drained_fd = -1,
};

/* Report why it does not start: STATUS becomes the exit status. */
static int refuse(int status, const char *what, const char *why)
{
	static const struct cli cli = {
		.program = "ruptimed",
		.patience_ms = OPTIONS_COMPLAINT_MS,
	};

	cli_complain(&cli, "%s: %s", what, why);
	return status;
}

/* The same when it cannot begin. Of what is called then, creating a thread alone says EAGAIN. */
static int refuse_to_begin(const char *what, int error)
{
	return refuse(EXIT_FAILED, error == EAGAIN ? "cannot start a thread" : what,
		strerror(error));
}

static int status_of(int error)
{
	return error == EPERM || error == EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int look_up_user(struct daemon *daemon)
{
	const char *user = daemon->settings.user;

	if (!user[0]) {
		return EXIT_CLEAN;
	}
	if (privileges_look_up(user, &daemon->privileges) < 0) {
		return refuse(EXIT_USAGE, user, "no such user");
	}
	if (geteuid() != 0 && geteuid() != daemon->privileges.uid) {
		return refuse(EXIT_NOT_PERMITTED, user, "only root can become another user");
	}
	if (privileges_try(&daemon->privileges) < 0) {
		char what[64];

		snprintf(what, sizeof(what), "cannot become %.40s", user);
		return refuse(EXIT_NOT_PERMITTED, what, strerror(errno));
	}
	daemon->runner_config.privileges = &daemon->privileges;
	return EXIT_CLEAN;
}

/* What comes before any thread or socket. From here on it is a daemon, if it is to be one. */
static int settle(struct daemon *daemon)
{
	struct settings *settings = &daemon->settings;

	if (settings->daemon) {
		daemon->status_fd = daemonize_begin(settings->ready_fd);
		if (daemon->status_fd < 0) {
			return refuse(EXIT_FAILED, "cannot become a daemon", strerror(errno));
		}
		if (log_open_syslog("ruptimed") < 0) {
			return refuse(EXIT_FAILED, "cannot log to syslog", strerror(errno));
		}
	}
	notify_open();
	/* Not earlier: a daemon has closed all that was open. Not later: a pid file is removed. */
	signals_hold();
	daemon->signal_fd = signals_open();
	if (daemon->signal_fd < 0) {
		return refuse(EXIT_FAILED, "cannot take signals", strerror(errno));
	}
	return EXIT_CLEAN;
}

/* Before there are listeners, so that a second server is told so. */
static int take_pid_file(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;

	if (settings->pid_file[0]) {
		daemon->pid_fd = pid_file_open(
			settings->pid_file, succession_follows(&daemon->succession));
		if (daemon->pid_fd < 0 && errno == EAGAIN) {
			return refuse(EXIT_FAILED, settings->pid_file,
				"another ruptimed holds this file");
		}
		if (daemon->pid_fd < 0) {
			return refuse(status_of(errno), settings->pid_file, strerror(errno));
		}
	}
	return EXIT_CLEAN;
}

/* What a start that is ended leaves behind is nothing. Async-signal-safe. */
static void tidy_up(void)
{
	listener_remove_names(&the_daemon.listeners);
	listener_remove_names(&the_daemon.metrics_listeners);
	listener_remove_names(&the_daemon.succession.socket);
	pid_file_close(the_daemon.settings.pid_file, &the_daemon.pid_fd);
}

static int refuse_listener(const char *text, const struct listener_failure *failure)
{
	return refuse(failure->wrong	       ? EXIT_USAGE
		      : failure->not_permitted ? EXIT_NOT_PERMITTED
					       : EXIT_FAILED,
		text, failure->why);
}

/* From the server that is to be taken over, if there is one. */
static int begin_succession(struct daemon *daemon)
{
	struct listener_failure failure;

	if (succession_begin(&daemon->succession, daemon->settings.takeover, daemon->uid,
		    daemon->gid, &failure) < 0) {
		return refuse_listener(daemon->settings.takeover, &failure);
	}
	daemon->listeners.follows = succession_follows(&daemon->succession);
	return succession_take(&daemon->succession, &daemon->listeners, NULL, false) < 0
		       ? refuse_to_begin("cannot take over", errno)
		       : EXIT_CLEAN;
}

/* Those that a service manager has opened. */
static int adopt_listeners(struct daemon *daemon)
{
	for (unsigned i = 0; i < activation_count(); i++) {
		int fd = ACTIVATION_FIRST_FD + (int)i;
		struct listener_failure failure;

		if (listener_adopt(&daemon->listeners, fd, activation_name(i), &failure) < 0) {
			char text[64];

			snprintf(text, sizeof(text), "descriptor %d of LISTEN_FDS", fd);
			return refuse_listener(text, &failure);
		}
	}
	return EXIT_CLEAN;
}

/* As the user that the settings name. */
static int open_address(struct daemon *daemon, struct listener_set *set,
	const struct address *address)
{
	bool metrics = set == &daemon->metrics_listeners;
	int taken = succession_take(&daemon->succession, set, address, metrics);
	struct listener_failure failure;

	if (taken != 0) {
		return taken > 0 ? EXIT_CLEAN : refuse_to_begin("cannot take over", errno);
	}
	if (listener_open(set, address, daemon->uid, daemon->gid, &failure) < 0) {
		char text[ADDRESS_TEXT_MAX];

		address_format(address, text, sizeof(text));
		return refuse_listener(text, &failure);
	}
	if (failure.left_out[0]) {
		log_warning("%s is left out: this system has no IPv6", failure.left_out);
	}
	return EXIT_CLEAN;
}

static int open_listeners(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	int status = EXIT_CLEAN;

	for (unsigned i = 0; i < settings->listen_count && !status; i++) {
		status = open_address(daemon, &daemon->listeners, &settings->listen[i]);
	}
	if (!status && settings->has_metrics) {
		status = open_address(daemon, &daemon->metrics_listeners, &settings->metrics);
	}
	return status;
}

/* As the user we are now, and shall be. */
static int check_command(const char *command)
{
	const char *why = command_why_not(command);

	return why ? refuse(EXIT_USAGE, command, why) : EXIT_CLEAN;
}

static int make_sandbox(struct daemon *daemon)
{
	const char *lacks;

	if (sandbox_new(&daemon->sandbox, &daemon->settings, &lacks) < 0) {
		return refuse(EXIT_FAILED, "cannot make the sandbox",
			lacks ? lacks : strerror(errno));
	}
	daemon->sandbox_lacks = lacks;
	daemon->runner_config.sandbox = daemon->sandbox;
	return EXIT_CLEAN;
}

/* All threads that are created from here on inherit it; the watcher is a process outside. */
static int enter_sandbox(struct daemon *daemon)
{
	int notify_fd;

	if (sandbox_start_watching(daemon->sandbox) < 0 ||
	    sandbox_enter(daemon->sandbox, SANDBOX_SERVER, &notify_fd) < 0) {
		return refuse_to_begin("cannot enter the sandbox", errno);
	}
	sandbox_watch(daemon->sandbox, SANDBOX_SERVER, &notify_fd);
	return EXIT_CLEAN;
}

static int start_keeper(struct daemon *daemon)
{
	struct message_report failed;

	daemon->runner_config.command = daemon->settings.command;
	if (daemon->settings.source == SETTINGS_EXEC && !daemon->settings.start_cold) {
		daemon->runner_config.preload = warm_find_preload();
	}
	daemon->runner = runner_new(&daemon->runner_config, &failed);
	if (!daemon->runner) {
		char what[64];

		snprintf(what, sizeof(what), "cannot start the runner process: %s", failed.call);
		return refuse(EXIT_FAILED, what, strerror(failed.error));
	}
	return EXIT_CLEAN;
}

/* Of the server that serves, which may be followed by another at any time. */
static void collect(void *context, struct exposition *figures)
{
	struct daemon *daemon = context;

	pthread_mutex_lock(&daemon->lock);
	server_collect(daemon->now->server, figures);
	pthread_mutex_unlock(&daemon->lock);
}

static bool is_healthy(void *context)
{
	struct daemon *daemon = context;
	bool healthy;

	pthread_mutex_lock(&daemon->lock);
	healthy = server_makes_progress(daemon->now->server, clock_now_ns());
	pthread_mutex_unlock(&daemon->lock);
	return healthy;
}

static bool is_ready(void *context)
{
	/* Relaxed: it orders nothing. */
	return !atomic_load_explicit(&((struct daemon *)context)->draining, memory_order_relaxed);
}

/* Without its metrics there is no server, either. */
static void start_metrics(struct daemon *daemon)
{
	const struct metrics_source source = { daemon, collect, is_healthy, is_ready };

	daemon->metrics =
		metrics_start(&daemon->metrics_listeners, &daemon->settings, &source);
	if (!daemon->metrics) {
		int error = errno;

		server_stop(daemon->now->server);
		server_free(daemon->now->server);
		daemon->now->server = NULL;
		errno = error;
	}
}

static void start_server(void *argument)
{
	struct daemon *daemon = argument;
	struct generation *now = daemon->now;

	if (log_start(now->settings.print_messages) == 0) {
		now->server = server_start(&now->settings, &now->listeners, daemon->runner);
	}
	if (now->server && daemon->settings.has_metrics) {
		start_metrics(daemon);
	}
	daemon->server_error = errno;
}

static int serve_from_now_on(struct daemon *daemon)
{
	daemon->stopped_fd = io_event_open();
	daemon->drained_fd = io_event_open();
	daemon->starter = starter_new();
	daemon->now = generation_new(&daemon->settings, &daemon->listeners);
	if (daemon->stopped_fd < 0 || daemon->drained_fd < 0 || !daemon->starter || !daemon->now) {
		return refuse_to_begin("cannot start serving", errno);
	}
	starter_begin(daemon->starter, start_server, daemon);
	starter_await(daemon->starter);
	if (!daemon->now->server) {
		return refuse_to_begin("cannot start serving", daemon->server_error);
	}
	if (succession_serve(&daemon->succession, &daemon->now->listeners,
		    &daemon->metrics_listeners) < 0) {
		int error = errno;

		server_stop(daemon->now->server);
		return refuse_to_begin("cannot take over", error);
	}
	return EXIT_CLEAN;
}

static int start(struct daemon *daemon)
{
	struct settings *settings = &daemon->settings;
	int status = look_up_user(daemon);

	if (status || (status = settle(daemon))) {
		return status;
	}
	status = make_sandbox(daemon);
	if (status) {
		return status;
	}
	daemon->uid = settings->user[0] ? daemon->privileges.uid : geteuid();
	daemon->gid = settings->user[0] ? daemon->privileges.gid : getegid();
	if (daemon_options_have_file()) {
		daemon->reader = reader_start(settings, daemon->uid, daemon->gid);
		if (!daemon->reader) {
			return refuse(EXIT_FAILED, "cannot start the reader process",
				strerror(errno));
		}
	}
	status = start_keeper(daemon);
	if (status) {
		return status;
	}
	/* Addresses may have names, which a name server is asked for. */
	signals_end_at_once(tidy_up);
	status = begin_succession(daemon);
	if (!status) {
		status = take_pid_file(daemon);
	}
	if (!status) {
		status = adopt_listeners(daemon);
	}
	if (!status) {
		status = open_listeners(daemon);
	}
	signals_hold();
	if (status) {
		return status;
	}
	if (settings->user[0] && privileges_take(&daemon->privileges) < 0) {
		return refuse(status_of(errno), settings->user, strerror(errno));
	}
	status = enter_sandbox(daemon);
	if (!status && settings->source == SETTINGS_EXEC) {
		status = check_command(settings->command);
	}
	if (status) {
		return status;
	}
	/* The command gets no TZ, so that its times are the system's; libproc2's shall be, too. */
	unsetenv("TZ");
	connections_raise_limit();
	return serve_from_now_on(daemon);
}

static void announce(struct daemon *daemon)
{
	/* Not before: a start that is refused has one line, the reason. */
	if (daemon->sandbox_lacks) {
		log_warning("the sandbox has to do without a part: %s", daemon->sandbox_lacks);
	}
	announce_listeners(&daemon->now->listeners, &daemon->settings);
	announce_metrics(&daemon->metrics_listeners);
	/* A manager that is told reads the addresses in the log, if that has a reader. */
	(void)log_flush();
	notify_ready(&daemon->settings.ready_fd);
	daemonize_end(&daemon->status_fd, EXIT_CLEAN);
}

static void finish(struct daemon *daemon)
{
	starter_free(daemon->starter);
	metrics_stop(daemon->metrics);
	if (daemon->now) {
		succession_end(&daemon->succession, daemon->now->server);
		server_free(daemon->now->server);
	}
	succession_end(&daemon->succession, NULL);
	generation_free(daemon->now);
	listener_close_all(&daemon->listeners);
	listener_close_all(&daemon->metrics_listeners);
	reader_free(daemon->reader);
	runner_free(daemon->runner);
	sandbox_free(daemon->sandbox);
	pid_file_close(daemon->settings.pid_file, &daemon->pid_fd);
	io_close(&daemon->stopped_fd);
	io_close(&daemon->drained_fd);
	io_close(&daemon->signal_fd);
	notify_close();
}

/* --check-config: what a start would find to be wrong before it opens anything. */
static int check_rest(struct daemon *daemon)
{
	const struct settings *settings = &daemon->settings;
	const char *user = settings->user;

	if (user[0] && privileges_look_up(user, &daemon->privileges) < 0) {
		return refuse(EXIT_USAGE, user, "no such user");
	}
	return settings->source == SETTINGS_EXEC ? check_command(settings->command) : EXIT_CLEAN;
}

int main(int argc, char **argv)
{
	struct daemon *daemon = &the_daemon;
	int status;

	io_fill_standard();
	if (thread_raise_main_stack() < 0) {
		return EXIT_NOT_PERMITTED;
	}
	/* Names of services and users may be looked up while there is nothing to tidy up yet. */
	signals_end_at_once(NULL);
	if (activation_take() < 0) {
		return refuse(EXIT_USAGE, "LISTEN_FDS", strerror(errno));
	}
	switch (daemon_options_parse(&daemon->settings, argc, argv)) {
	case OPTIONS_DONE:
		return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_FAILED;
	case OPTIONS_CHECK:
		return check_rest(daemon);
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	log_open_stderr();
	log_set_level(daemon->settings.log_level);
	status = start(daemon);
	if (status == EXIT_CLEAN) {
		announce(daemon);
		status = supervisor_run(daemon);
		if (status == EXIT_CLEAN) {
			log_info("stopped");
		}
	}
	finish(daemon);
	log_end();
	daemonize_end(&daemon->status_fd, status);
	return status;
}
