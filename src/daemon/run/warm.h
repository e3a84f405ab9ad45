/* SPDX-License-Identifier: MIT */
/*
 * The command, loaded ahead of time: a process that was executed as far as main(), from which a
 * child is forked for each run. The next child always waits already, so that a run is no more than
 * its main().
 *
 * Of the runner, which has one. Nothing here blocks but warm_start(), and that for an instant.
 * Whatever goes wrong, the run is started cold, and the command loaded again later.
 */
#ifndef RUPTIME_DAEMON_RUN_WARM_H
#define RUPTIME_DAEMON_RUN_WARM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/run/image.h"

/* How many children of this process are none of a run: the loaded command, and who waits. */
#define WARM_SPARED 2

struct warm {
	const char *path;		/* the command */
	const char *preload;		/* preload.c, as a library; NULL: start cold */
	const char *cold_reason;	/* why it cannot be loaded; NULL: it can */
	pid_t loaded;			/* 0: none */
	int control_fd;			/* see preload.h */
	int door_fd;
	uint64_t loaded_ns;		/* when it was loaded or given up; 0: load it now */
	uint64_t asked_ns;		/* since when its word is awaited; 0: it is not */
	bool greeted;
	bool proved;			/* a run has been started since it was loaded */
	bool refused;			/* what NEXT is of did not wait for its main() */
	uint64_t number;		/* of the child that was ordered last */
	int out_fd;			/* where its output comes; -1: none was ordered */
	pid_t waiting;			/* 0: it has not said yet that it waits */
	struct image image;		/* what the loaded command was loaded from */
	struct image next;		/* as it says itself */
};

/*
 * Find the library of preload.c: beside this program, where it was built, or where it was
 * installed. Returns its path, which lasts, or NULL.
 */
const char *warm_find_preload(void);

/* Nothing is loaded yet. PRELOAD: NULL for always cold. PATH and PRELOAD are borrowed. */
void warm_init(struct warm *warm, const char *path, const char *preload);

/* To be polled for warm_hear() when no run is under way; -1: nothing to hear. */
int warm_watch_fd(const struct warm *warm);
void warm_hear(struct warm *warm);

/* When no run is under way: load the command if it is not loaded, and order the next child. */
void warm_prepare(struct warm *warm);

/*
 * Let the waiting child go on into main(). It leads a process group of its own, is a child of this
 * process, and *OUT_FD is where its output can be read, without blocking: both are the caller's.
 * Returns 0, or -1: there is none.
 */
int warm_start(struct warm *warm, pid_t *pid, int *out_fd);

/*
 * Is the command not what was loaded any more? To be asked after each warm_start(), and then that
 * run counts for nothing: looking at all files takes its time, in which the run is under way.
 */
bool warm_is_stale(struct warm *warm);

/* Kill and reap the loaded command, and who waits. */
void warm_unload(struct warm *warm);

/*
 * The children of this process that are to live on. Returns how many. If a child was ordered and
 * has not said yet that it waits, there are none: the command will be loaded anew.
 */
unsigned warm_spare(struct warm *warm, pid_t spared[WARM_SPARED]);

#endif
