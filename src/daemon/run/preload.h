/* SPDX-License-Identifier: MIT */
/*
 * What the runner and the loaded command tell each other. The loaded command is a process that was
 * executed with preload.c in front of its main(), where it forks a child for each run.
 *
 * Over two pairs of SOCK_SEQPACKET, whose ends there have the numbers below:
 *
 * control	loaded: a struct preload_hello, once
 *		runner: an order: one byte, and with it where the output is to go
 *		loaded: a struct preload_ready, from the child that waits now
 * door		runner: a struct preload_go; the child with this number goes on into main()
 *
 * Orders are numbered from 1, by both sides. Each end ends when the other one is closed.
 */
#ifndef RUPTIME_DAEMON_RUN_PRELOAD_H
#define RUPTIME_DAEMON_RUN_PRELOAD_H

#include <stdint.h>

#define PRELOAD_FILE	"warm.so"
#define PRELOAD_VERSION 1

enum { PRELOAD_CONTROL_FD = 3, PRELOAD_DOOR_FD = 4 };

#define PRELOAD_NAMES_BYTES 8192

/* The names of the libraries that were loaded, strings in a row; cut behind the last. */
struct preload_hello {
	uint32_t version;
	char names[PRELOAD_NAMES_BYTES];
};

struct preload_go {
	uint64_t number;	/* that of an order */
};

struct preload_ready {
	uint64_t number;
	int64_t pid;		/* the child's, which is the runner's child, too; or -errno */
};

#endif
