/* SPDX-License-Identifier: MIT */
#include "daemon/reply/path_lanes.h"

#include <stddef.h>

/* FNV-1a. A collision costs a client the company of another directory of the same user. */
static uint64_t hash(const char *text, size_t len)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	}
	return hash;
}

struct path_owner path_owner_of(const struct request *request)
{
	const char *path = request->datagram.peer.un.sun_path;
	size_t len = request->datagram.peer_len - offsetof(struct sockaddr_un, sun_path);

	while (len > 0 && path[len - 1] != '/') {
		len--;
	}
	return (struct path_owner){ request->datagram.peer_uid, hash(path, len) };
}

bool path_owner_is_same(const struct path_owner *a, const struct path_owner *b)
{
	return a->uid == b->uid && a->directory == b->directory;
}

struct path_lane *path_lanes_find(struct path_lanes *lanes, const struct path_owner *owner)
{
	struct path_lane *unused = NULL;
	struct path_lane *shortest = NULL;
	struct path_lane *own = NULL;
	unsigned count = 0;
	unsigned pending = 0;

	for (unsigned i = 0; i < PATH_LANES; i++) {
		struct path_lane *lane = &lanes->all[i];

		if (!lane->pending) {
			unused = lane;
		} else if (lane->owner.uid == owner->uid) {
			count++;
			pending += lane->pending;
			own = path_owner_is_same(&lane->owner, owner) ? lane : own;
			if (!shortest || lane->pending < shortest->pending) {
				shortest = lane;
			}
		}
	}
	if (pending >= PATH_LANES_USER_MAX) {
		return NULL;
	}
	if (own || count >= PATH_LANES_OF_USER) {
		return own ? own : shortest;
	}
	if (unused) {
		*unused = (struct path_lane){ .owner = *owner, .end = &unused->first };
	}
	return unused;
}

struct path_lane *path_lanes_waiting(struct path_lanes *lanes)
{
	for (unsigned i = 0; i < PATH_LANES; i++) {
		struct path_lane *lane = &lanes->all[(lanes->next + i) % PATH_LANES];

		if (lane->first && !lane->busy) {
			lanes->next = (unsigned)(lane - lanes->all) + 1;
			return lane;
		}
	}
	return NULL;
}

struct path_task *path_lane_remove_first(struct path_lane *lane)
{
	struct path_task *task = lane->first;

	lane->first = task->next;
	if (!lane->first) {
		lane->end = &lane->first;
	}
	return task;
}
