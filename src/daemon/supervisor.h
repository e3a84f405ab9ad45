/* SPDX-License-Identifier: MIT */
/*
 * What main does while the server serves: it takes signals, minds the runner, tells the service
 * manager how it goes, and ends the server in time.
 */
#ifndef RUPTIME_DAEMON_SUPERVISOR_H
#define RUPTIME_DAEMON_SUPERVISOR_H

#include "daemon/life/privileges.h"
#include "daemon/life/starter.h"
#include "daemon/listen/listener.h"
#include "daemon/metrics/metrics.h"
#include "daemon/run/runner.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/server.h"
#include "daemon/settings.h"

/* The process: all that main has opened and started. */
struct daemon {
	struct settings settings;
	struct privileges privileges;
	struct sandbox *sandbox;
	struct runner_config runner_config;
	struct runner *runner;
	struct listener_set listeners;
	struct listener_set metrics_listeners;
	struct metrics *metrics;	/* NULL: there are none */
	_Atomic bool draining;		/* the stop has begun: main's, read by the metrics */
	struct starter *starter;	/* starts and stops the server */
	struct server *server;
	int server_error;	/* why there is none */
	int signal_fd;
	int status_fd;		/* to the process that was started, see daemonize.h */
	int pid_fd;
	int stopped_fd;		/* readable once the server has stopped */
};

enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_PERMITTED = 4 };

/* Until the server has stopped. Returns the exit status, or ends the process itself. */
int supervisor_run(struct daemon *daemon);

#endif
