/* SPDX-License-Identifier: MIT */
/*
 * In which order the answers to UNIX datagram clients with paths are sent: one after the other for
 * each user and directory, which makes a lane. Not thread-safe; nothing blocks.
 */
#ifndef RUPTIME_DAEMON_REPLY_PATH_LANES_H
#define RUPTIME_DAEMON_REPLY_PATH_LANES_H

#include "daemon/queue/request.h"
#include "daemon/run/uptime.h"

#define PATH_LANES	   64
#define PATH_LANES_OF_USER 4

/* Answers of one user that may wait. */
#define PATH_LANES_USER_MAX 256

struct path_task {
	struct path_task *next;
	struct request *batch;		/* copies, of the writer's own pool */
	unsigned count;
	uint64_t until_ns;
	struct uptime_line line;
};

/* Whose answers go one after the other. */
struct path_owner {
	uid_t uid;
	uint64_t directory;		/* a hash of its path */
};

struct path_lane {
	struct path_owner owner;
	unsigned pending;		/* answers that wait or are being sent; 0: unused */
	bool busy;			/* a thread sends for it, */
	uint64_t begin_ns;		/* and since when */
	struct path_task *first;
	struct path_task **end;
};

/* Empty when zero-initialized. */
struct path_lanes {
	struct path_lane all[PATH_LANES];
	unsigned next;			/* whose turn comes first */
};

/* REQUEST's client must have a path. */
struct path_owner path_owner_of(const struct request *request);
bool path_owner_is_same(const struct path_owner *a, const struct path_owner *b);

/* The lane for OWNER, new if need be; NULL if its user may have no more answers wait. */
struct path_lane *path_lanes_find(struct path_lanes *lanes, const struct path_owner *owner);

/* A lane with a task that is not busy, each in its turn, or NULL. */
struct path_lane *path_lanes_waiting(struct path_lanes *lanes);

/* LANE must have a task, which becomes the caller's. */
struct path_task *path_lane_remove_first(struct path_lane *lane);

#endif
