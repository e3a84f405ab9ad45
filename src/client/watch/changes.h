/* SPDX-License-Identifier: MIT */
/*
 * What has become of each host since it was first asked: changes of its state, and its load.
 *
 * Pure but for memory; one thread at a time.
 */
#ifndef RUPTIME_CLIENT_WATCH_CHANGES_H
#define RUPTIME_CLIENT_WATCH_CHANGES_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "client/show/report.h"

/* Rounds whose load is remembered. */
#define CHANGES_HISTORY 120

enum change {
	CHANGE_NONE,
	CHANGE_DOWN,		/* it was up before */
	CHANGE_BACK,		/* it was down before, and has not been rebooted meanwhile */
	CHANGE_REBOOTED,
	CHANGES,		/* how many there are */
};

struct changes_host {
	enum report_state state;
	enum change last;		/* what was noticed last, until it is cleared */
	time_t since;			/* the state is so; wall clock */
	uint64_t seen_up_ns;		/* when it was up for the last time */
	int64_t uptime_s;		/* then; -1: unknown */
	unsigned rounds;		/* that were noted, ever */
	float loads[CHANGES_HISTORY];	/* a ring; NAN: not known */
};

struct changes {
	struct changes_host *hosts;
	size_t count;
};

/* Returns 0, or -1 with errno. */
int changes_init(struct changes *changes, size_t count);
void changes_fini(struct changes *changes);

/*
 * Host AT is as ROW says at NOW_NS of the monotonic clock, which is WALL. Returns what has changed.
 *
 * It has been rebooted if it says that it has been up for less than when it was last seen, or for
 * less than the time since then. Uptimes are cut to minutes; so much is allowed for.
 */
enum change changes_note(struct changes *changes, size_t at, const struct report_row *row,
	uint64_t now_ns, time_t wall);

/* Forget what was noticed of all hosts; their states stay. */
void changes_clear(struct changes *changes);

/* "down", "back", "rebooted"; "" for none. */
const char *change_name(enum change change);

/*
 * The load of host AT AGO rounds ago, 0 being the last; NAN if it is not known, or was so long ago
 * that it is forgotten.
 */
float changes_load(const struct changes *changes, size_t at, unsigned ago);

#endif
