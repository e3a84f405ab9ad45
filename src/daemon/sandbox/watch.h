/* SPDX-License-Identifier: MIT */
/*
 * A process that answers for refused system calls, and tells the server of them.
 *
 * A thread that makes such a call waits for the answer, and what gives it could as well let the
 * call through. So it is given by a process that shares no memory and no descriptor with the
 * threads that strangers talk to.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_WATCH_H
#define RUPTIME_DAEMON_SANDBOX_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/sandbox/roles.h"

/* What the kernel knows a thread by, with its NUL. */
#define WATCH_THREAD_BYTES 16

/* A system call that was refused. Each message to the server is one. */
struct watch_refusal {
	enum sandbox_role role;
	uint32_t audit_arch;
	int32_t number;
	char thread[WATCH_THREAD_BYTES];	/* that made it, not necessarily printable */
};

/*
 * Be that process, until the other end of SOCK_FD, SOCK_SEQPACKET, is closed. It has been forked,
 * has the watcher's sandbox, and no other descriptors that matter.
 */
_Noreturn void sandbox_watch_process(int sock_fd);

/*
 * Hand NOTIFY_FD, by which the kernel tells of the refused calls of a ROLE, over to the process at
 * the other end of SOCK_FD. It stays the caller's. Returns 0, or -1 with errno.
 */
int sandbox_watch_send(int sock_fd, enum sandbox_role role, int notify_fd);

/*
 * Receive the next refusal from SOCK_FD, without waiting. Returns false if there is none, with
 * errno EAGAIN if there may be one later.
 */
bool sandbox_watch_receive(int sock_fd, struct watch_refusal *refusal);

#endif
