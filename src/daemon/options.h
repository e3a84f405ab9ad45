/* SPDX-License-Identifier: MIT */
/*
 * What ruptimed was told on its command line, checked and complete.
 */
#ifndef RUPTIME_DAEMON_OPTIONS_H
#define RUPTIME_DAEMON_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/log.h"
#include "common/prefix.h"
#include "daemon/sandbox.h"

#define OPTIONS_LISTEN_MAX	64
#define OPTIONS_WORKERS_MAX	256
#define OPTIONS_QUEUE_MAX	(1u << 20)
#define OPTIONS_CONNECTIONS_MAX (1u << 20)
#define OPTIONS_UDP_ALLOW_MAX	64

enum options_source {
	OPTIONS_EXEC,		/* run the command */
	OPTIONS_PROCPS,		/* ask libproc2 */
};

struct options {
	struct address listen[OPTIONS_LISTEN_MAX];	/* ports are numbers */
	unsigned listen_count;
	unsigned workers;
	unsigned queue;
	unsigned max_connections;			/* 0: what the descriptors allow */
	unsigned max_per_source;
	enum options_source source;
	char command[PATH_MAX];				/* absolute */
	uint64_t run_timeout_ns;
	uint64_t max_age_ns;
	const char *user;				/* NULL: stay who we are */
	enum sandbox_level sandbox;
	bool daemon;
	char pid_file[PATH_MAX];			/* absolute; "": none */
	int ready_fd;					/* -1: none */
	bool print_messages;
	struct prefix udp_allow[OPTIONS_UDP_ALLOW_MAX];	/* local besides what is */
	unsigned udp_allow_count;
	bool udp_open;
	unsigned rate;					/* a second and source; 0: any */
	bool rate_dry_run;
	enum log_level log_level;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,	/* --help or --version was answered */
	OPTIONS_WRONG,	/* one line on stderr says what */
};

/* Parse the command line. Strings in OPTIONS may point into ARGV. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
