/* SPDX-License-Identifier: MIT */
/*
 * What ruptimed was told to do, checked and complete. options.c fills it in; all others only read
 * it.
 */
#ifndef RUPTIME_DAEMON_SETTINGS_H
#define RUPTIME_DAEMON_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/log.h"
#include "common/prefix.h"

#define SETTINGS_LISTEN_MAX	64
#define SETTINGS_USER_BYTES	256
#define SETTINGS_WORKERS_MAX	256
#define SETTINGS_QUEUE_MAX	(1u << 20)
#define SETTINGS_CONNECTIONS_MAX (1u << 20)
#define SETTINGS_UDP_ALLOW_MAX	64
#define SETTINGS_ACCESS_MAX	256

enum sandbox_level {
	SANDBOX_OFF,
	SANDBOX_BASIC,		/* what is known to be dangerous is refused */
	SANDBOX_STRICT,		/* the server may do what is known to be needed, and no more */
};

enum settings_source {
	SETTINGS_EXEC,		/* run the command */
	SETTINGS_PROCPS,		/* ask libproc2 */
};

/* May those in NETWORK ask? */
struct settings_access {
	struct prefix network;
	bool allowed;
};

struct settings {
	struct address listen[SETTINGS_LISTEN_MAX];	/* ports are numbers */
	unsigned listen_count;
	unsigned workers;
	unsigned queue;
	unsigned max_connections;			/* 0: what the descriptors allow */
	unsigned max_per_source;
	enum settings_source source;
	char command[PATH_MAX];				/* absolute */
	uint64_t run_timeout_ns;
	uint64_t max_age_ns;
	bool start_cold;				/* load nothing ahead of a run */
	char user[SETTINGS_USER_BYTES];			/* "": stay who we are */
	enum sandbox_level sandbox;
	bool daemon;
	char pid_file[PATH_MAX];			/* absolute; "": none */
	int ready_fd;					/* -1: none */
	char takeover[PATH_MAX];			/* absolute; "": none */
	bool print_messages;
	bool has_metrics;
	struct address metrics;				/* of --metrics, if there is one */
	struct settings_access access[SETTINGS_ACCESS_MAX];	/* each network once */
	unsigned access_count;
	struct prefix udp_allow[SETTINGS_UDP_ALLOW_MAX];	/* local besides what is */
	unsigned udp_allow_count;
	bool udp_open;
	unsigned rate;					/* a second and source; 0: any */
	bool rate_dry_run;
	enum log_level log_level;
	bool reloads;					/* a file may bring listeners */
};

#endif
