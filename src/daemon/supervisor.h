/* SPDX-License-Identifier: MIT */
/*
 * What main does while the server serves: it takes signals, minds the runner, tells the service
 * manager how it goes, and ends the server in time.
 */
#ifndef RUPTIME_DAEMON_SUPERVISOR_H
#define RUPTIME_DAEMON_SUPERVISOR_H

#include "daemon/life/privileges.h"
#include "daemon/life/starter.h"
#include <pthread.h>
#include <stdbool.h>

#include "daemon/generation.h"
#include "daemon/listen/listener.h"
#include "daemon/metrics/metrics.h"
#include "daemon/reader.h"
#include "daemon/run/runner.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/server.h"
#include "daemon/settings.h"
#include "daemon/succession.h"

/* The process: all that main has opened and started. */
struct daemon {
	struct settings settings;
	struct privileges privileges;
	struct sandbox *sandbox;
	const char *sandbox_lacks;	/* what this machine has not of it; NULL: all is there */
	struct runner_config runner_config;
	struct runner *runner;
	struct listener_set listeners;	/* until there is a server */
	struct listener_set metrics_listeners;
	struct succession succession;
	struct metrics *metrics;	/* NULL: there are none */
	_Atomic bool draining;		/* the stop has begun: main's, read by the metrics */
	pthread_mutex_t lock;		/* main changes `now` with it, others read it with it */
	struct generation *now;		/* the server that serves, with its listeners */
	struct generation *next;	/* the one that is about to follow it */
	struct generation *before;	/* the one that it follows, while that is drained */
	struct reader *reader;		/* NULL: there is no configuration file */
	uid_t uid;			/* who owns what is made */
	gid_t gid;
	struct starter *starter;	/* starts and stops the server */
	int server_error;	/* why there is none */
	int signal_fd;
	int status_fd;		/* to the process that was started, see daemonize.h */
	int pid_fd;
	int stopped_fd;		/* readable once the server has stopped */
	int drained_fd;		/* readable once the one before has */
};

enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_PERMITTED = 4 };

/* Until the server has stopped. Returns the exit status, or ends the process itself. */
int supervisor_run(struct daemon *daemon);

#endif
