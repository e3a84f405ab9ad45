/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a filter of system calls: what it can do with one, and installing one. All
 * of it is safe after fork: no memory is allocated, no lock is taken.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_FILTER_H
#define RUPTIME_DAEMON_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/* More than any structure that the kernel fills in to tell of a refused call. */
#define FILTER_NOTICE_BYTES 512

/* Can this kernel tell another thread of refused calls? */
bool sandbox_filter_can_notify(void);

/*
 * Install PROGRAM for the calling thread, which must have no_new_privs. *NOTIFY_FD becomes the
 * descriptor that tells of refused calls, the caller's; NULL: no call of PROGRAM's is told of.
 * Returns 0, or -1 with errno.
 */
int sandbox_filter_enter(const struct sock_fprog *program, int *notify_fd);

#endif
