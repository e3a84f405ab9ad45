/* SPDX-License-Identifier: MIT */
/*
 * Small help with descriptors. Nothing here logs; all of it is thread-safe.
 */
#ifndef RUPTIME_COMMON_IO_H
#define RUPTIME_COMMON_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

/* Is ERROR this machine's want of descriptors or memory, and no peer's doing? */
bool io_is_shortage(int error);

/* Close *FD unless it is -1, and set it to -1. Keeps errno. */
void io_close(int *fd);

/*
 * Open /dev/null on those of 0, 1 and 2 that are closed, so that no other file gets their number
 * and with it what is meant for stderr. The first thing that a main does.
 */
void io_fill_standard(void);

/*
 * Close the descriptors FIRST, not 0, to LAST. Safe after fork. A kernel before 5.9 has no call for
 * it; then they are looked up in /proc. Returns 0, or -1 with errno.
 */
int io_close_range(unsigned first, unsigned last);

/*
 * Write all of BUF. Blocks as long as the reader takes, also when the descriptor does not block: a
 * program that shares it may have said so. Returns 0, or -1 with errno.
 */
int io_write_all(int fd, const void *buf, size_t len);

/*
 * A stream to standard output that writes as io_write_all() does, buffered in full; stdout itself
 * loses what a descriptor that does not block has no room for. The caller closes it, and the
 * descriptor stays open. Returns NULL with errno.
 */
FILE *io_stdout(void);

/*
 * Write BUF if FD takes it within PATIENCE_MS; if not, it is not written, or not all of it.
 * Changes no flag of FD, which other processes may share. Returns 0, or -1 with errno: EAGAIN if
 * not in time.
 */
int io_write_soon(int fd, const void *buf, size_t len, int patience_ms);

/* Who connected to, or made, the other end of a UNIX socket. Returns 0, or -1 with errno. */
int io_peer(int sock_fd, struct ucred *peer);

/*
 * An eventfd that says "once and for all": io_event_set() makes it readable for ever, so that any
 * number of threads can poll it. Returns the descriptor, or -1 with errno.
 */
int io_event_open(void);
void io_event_set(int event_fd);

#endif
