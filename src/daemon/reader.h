/* SPDX-License-Identifier: MIT */
/*
 * The process that reads the configuration again, and opens what is new in it.
 *
 * The server has given up the rights for both when it serves. So this process keeps those that the
 * server was started with. It is forked before any thread or socket exists, and no byte of a client
 * gets there: all that the server says to it is "read again", and whether what came is in force.
 * It ends with the server.
 */
#ifndef RUPTIME_DAEMON_READER_H
#define RUPTIME_DAEMON_READER_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/listen/listener.h"
#include "daemon/settings.h"

struct reader;

/* What is new. */
struct reading {
	bool ok;
	char text[4096];		/* what changes, see config_diff(); or what is wrong */
	struct settings settings;
	struct listener_set added;	/* sockets for addresses that were not served yet */
	/* For each XSI queue of the settings a socketpair, which the server cannot make. */
	int pairs[SETTINGS_LISTEN_MAX][2];
	unsigned pair_count;
};

/*
 * Start the process, for a server whose settings are SETTINGS, borrowed until this returns. Sockets
 * with a name become the property of UID and GID. Returns NULL with errno.
 */
struct reader *reader_start(const struct settings *settings, uid_t uid, gid_t gid);

/* Have it read. Never blocks. */
void reader_ask(struct reader *reader);

/* Readable when it has: call reader_take(). -1: there is none any more. */
int reader_watch_fd(const struct reader *reader);

/*
 * Take what it has read. The descriptors in READING are the caller's, and ADDED is to be freed.
 * Returns 0, or -1 if the process has died.
 */
int reader_take(struct reader *reader, struct reading *reading);

/* Tell whether that is IN_FORCE now; if not, the sockets that were added are removed. */
void reader_confirm(struct reader *reader, bool in_force);

/* End the process. Blocks for an instant. NULL is fine. */
void reader_free(struct reader *reader);

#endif
