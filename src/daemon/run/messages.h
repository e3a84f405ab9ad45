/* SPDX-License-Identifier: MIT */
/*
 * What server, keeper and runner tell each other, over two pairs of SOCK_SEQPACKET.
 *
 * One pair is for runs. All runners inherit the same end of it, so a request that one has not read
 * waits for the next. The other is for reports:
 *
 * - to main, a struct message_report when a process could not begin; when a runner has settled, one
 *   byte, and with it what sandbox_watch() takes, if anything;
 * - to the keeper, any message: the runner hangs, and is to be replaced.
 *
 * Server and keeper see each other's end by the end of this socket.
 */
#ifndef RUPTIME_DAEMON_RUN_MESSAGES_H
#define RUPTIME_DAEMON_RUN_MESSAGES_H

#include <stdint.h>

#include "daemon/run/command.h"

/* The descriptors of keeper and runner. */
enum { MESSAGE_RUN_FD = 3, MESSAGE_REPORT_FD = 4 };

/* The server wants a run. Of several that wait the last one counts: it has given up the others. */
struct message_request {
	uint64_t id;		/* rises */
	uint64_t timeout_ns;	/* how long the run may take */
	uint64_t until_ns;	/* when this one is given up (clock.h) */
};

/* What came of it; cut behind the text's NUL. */
struct message_answer {
	uint64_t id;
	struct command_result result;
};

/*
 * In place of answers the keeper sends one byte when the runner has ended: its request is to be
 * sent again. It did not die if its sandbox was for a command that has been replaced since.
 */
enum { MESSAGE_DIED, MESSAGE_OUTDATED };
#define MESSAGE_NOTICE_BYTES 1

struct message_report {
	int error;	/* errno */
	char call[28];	/* which call failed with it, a string */
};

/* Report to REPORT_FD that CALL has failed with ERROR. Does not wait for a reader. */
void message_complain(int report_fd, const char *call, int error);

#endif
