/* SPDX-License-Identifier: MIT */
/*
 * Writing a line to a descriptor that a client has passed: it may be of any kind, and its
 * O_NONBLOCK flag is not ours to change, since the client's copy shares it.
 */
#ifndef RUPTIME_DAEMON_REPLY_PASSED_FD_H
#define RUPTIME_DAEMON_REPLY_PASSED_FD_H

#include <stddef.h>

/*
 * Call once in each thread that will call passed_fd_write(), which uses a timer of the thread's
 * own. Returns 0, or -1 with errno. passed_fd_thread_fini() undoes it.
 */
int passed_fd_thread_init(void);
void passed_fd_thread_fini(void);

/*
 * Write LEN bytes (at most PIPE_BUF) to FD, a regular file, pipe, socket or terminal, which stays
 * the caller's. Does not wait for a reader: what cannot be written at once is not written at all,
 * but for a terminal, which gets DESCRIPTOR_PATIENCE_MS.
 *
 * Returns NULL, or a constant that says why not.
 */
#define DESCRIPTOR_PATIENCE_MS 20
const char *passed_fd_write(int fd, const void *text, size_t len);

#endif
