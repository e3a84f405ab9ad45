/* SPDX-License-Identifier: MIT */
/*
 * Descriptors over UNIX-domain sockets: SCM_RIGHTS, see unix(7). Thread-safe.
 *
 * The control buffer has room for as many descriptors as the kernel lets through in one message,
 * so that what arrives is always seen, and what is too much can be closed. (A buffer for one
 * takes in a second one by its padding, which then leaks without a sign.)
 */
#ifndef RUPTIME_COMMON_FDPASS_H
#define RUPTIME_COMMON_FDPASS_H

#include <stddef.h>
#include <sys/socket.h>

/* SCM_MAX_FD of the kernel. */
#define FDPASS_MAX 253

/* A control buffer for all that can come with one message. */
#define FDPASS_CONTROL_BYTES CMSG_SPACE(FDPASS_MAX * sizeof(int))

/* Status that follows on the stream when the descriptor has got its line. */
#define FDPASS_OK_BYTE 0

enum fdpass_result {
	FDPASS_GOT,		/* exactly one descriptor, which the caller owns now */
	FDPASS_NONE,		/* data without a descriptor */
	FDPASS_TOO_MANY,	/* more than one; all were closed */
	FDPASS_SHORTAGE,	/* this process had no descriptor left to take one in: it is lost */
	FDPASS_END,		/* the peer has closed, or the socket has failed */
	FDPASS_LATER,		/* nothing to receive yet */
};

/* Receive one message from SOCK_FD, without blocking. *PASSED_FD is -1 but for FDPASS_GOT. */
enum fdpass_result fdpass_receive(int sock_fd, int *passed_fd);

/*
 * Send one byte and with it a duplicate of PASSED_FD, which stays the caller's. Blocks as SOCK_FD
 * does. Returns 0, or -1 with errno.
 */
int fdpass_send(int sock_fd, int passed_fd);

/*
 * Close a descriptor that came from a stranger, and set it to -1. A socket that would make close()
 * wait for its data (SO_LINGER) is told not to.
 */
void fdpass_discard(int *passed_fd);

/*
 * How many descriptors are in the control data of a message that was received. The last of them
 * becomes the caller's, in *PASSED_FD, which must be -1 before; the others are discarded.
 */
size_t fdpass_take_all(struct msghdr *header, int *passed_fd);

/* Discard all descriptors in the control data of a message that was received. */
void fdpass_discard_all(struct msghdr *header);

/*
 * Receive up to SIZE bytes and throw them away, without blocking. Were it recv(), the kernel would
 * close the descriptors among them, in this thread, and wait for those that linger.
 * Returns what recv() does.
 */
ssize_t fdpass_skip(int sock_fd, void *buf, size_t size);

/*
 * Let no client pass descriptors to SOCK_FD and what it accepts. Returns 0, or -1 with errno where
 * the kernel does not know how (before 6.16).
 */
int fdpass_refuse(int sock_fd);

#endif
