/* SPDX-License-Identifier: MIT */
/*
 * The sockets that are listened on. Opened and closed by main; the ingress threads borrow them,
 * and workers send datagrams on them. Helpers here block only for name look-ups.
 */
#ifndef RUPTIME_DAEMON_LISTEN_LISTENER_H
#define RUPTIME_DAEMON_LISTEN_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/address.h"
#include "daemon/listen/msgq.h"
#include "daemon/listen/msgq_replies.h"
#include "daemon/listen/unix_socket.h"

struct listener {
	struct address address;		/* as bound; a host and a port are numeric */
	struct address asked;		/* as it was given; nothing if the socket was brought */
	/*
	 * What is polled, non-blocking: a listening or a datagram socket; for an XSI queue the
	 * end of a socketpair from which its messages are read.
	 */
	int fd;
	struct unix_socket_id file;	/* UNIX sockets: which file has the name */
	struct msgq *msgq;		/* XSI queues: takes requests; owned */
	struct msgq_replies *replies;	/* XSI queues: sends replies; owned */
	int feed_fd;			/* XSI queues: the other end, until its thread takes it */
	bool absent;			/* the host lacked its address when it was opened */
	bool may_pass;			/* clients may send descriptors, see fdpass_refuse() */
	bool may_shrink;		/* UDP: its buffer, see udp_socket.h */
	/*
	 * Another process has it, too, and serves what is still in it when we stop: it is not shut
	 * and not drained.
	 */
	bool borrowed;
	/* While one server follows another: both have it. */
	bool shared;
};

struct listener_set {
	struct listener *all;		/* owned */
	unsigned count;
	bool follows;			/* another server still serves the XSI queues */
};

/* Why listening failed. */
struct listener_failure {
	char why[160];
	bool not_permitted;
	bool wrong;			/* the address names what this system does not know */
	/* Also without a failure: an address of IPv6, which this system does not have. */
	char left_out[ADDRESS_TEXT_MAX];
};

/*
 * What comes from it: connections, those that bring descriptors or the others; datagrams; or
 * messages.
 */
bool listener_is_stream(const struct listener *listener);
bool listener_is_fdpass(const struct listener *listener);
bool listener_is_plain_stream(const struct listener *listener);
bool listener_is_datagram(const struct listener *listener);
bool listener_is_msgq(const struct listener *listener);

/*
 * Open all that ADDRESS, whose port is a number, stands for, and append it to SET: one socket for
 * each socket address that its host has; if the port is 0 they all get the same one. An address of
 * IPv6 that this host lacks is absent, if there is another one or it is tentative, and served once
 * the host has it; it is left out where this system has no IPv6. XSI queues become the property of
 * UID and GID.
 * Returns 0, or -1 with *FAILURE filled; what was opened before stays in SET.
 */
int listener_open(struct listener_set *set, const struct address *address, uid_t uid, gid_t gid,
	struct listener_failure *failure);

/*
 * Append FD, a socket of another process that is called NAME, to SET, see inherited_socket.h. Takes
 * FD. Returns 0, or -1 with *FAILURE filled.
 */
int listener_adopt(struct listener_set *set, int fd, const char *name,
	struct listener_failure *failure);

/*
 * Open the XSI queues of ADDRESS, whose messages go through PAIR, which is taken. For a server that
 * can make no socketpair itself any more. Returns as listener_open() does.
 */
int listener_open_queue(struct listener_set *set, const struct address *address, uid_t uid,
	gid_t gid, const int pair[2], struct listener_failure *failure);

/*
 * Append one that another process has given: its socket *FD, which is taken, bound to ADDRESS, and
 * given there as ASKED. Returns it, to be filled in further, or NULL with errno ENOMEM.
 */
struct listener *listener_append(struct listener_set *set, const struct address *address,
	const struct address *asked, int *fd);

/*
 * Let no new client in, for good: the name of a UNIX socket goes away, and the kernel refuses new
 * connections, also over another name of it, and UNIX datagrams, and drops those of UDP. What has
 * arrived stays and can be accepted until EAGAIN (UNIX: EINVAL) or received until EAGAIN, without a
 * race against new ones. Takes no privilege.
 * Affects every process that shares the socket. Returns 0, or -1 with errno.
 */
int listener_shut_door(const struct listener *listener);

/*
 * Remove the names and queues that are ours, and nothing else: for an exit that does not wait for
 * the threads, which go on with what they do.
 */
void listener_remove_names(const struct listener_set *set);

/*
 * The same, and let go of the sockets: the kernel may keep a process whose threads hang, and its
 * descriptors with it. INSTEAD_FD takes their places, so that no thread meets another descriptor.
 */
void listener_let_go(const struct listener_set *set, int instead_fd);

/* Close LISTENER, with its name or its queues if they are ours. */
void listener_close(struct listener *listener);

/* Close all descriptors and free the set's memory; names and queues stay, for another process. */
void listener_forget(struct listener_set *set);

/* Close all that is not shared, with its name or its queues, and free the set's memory. */
void listener_drop_unshared(struct listener_set *set);

/* Close all sockets, remove names and queues that are ours, and free the set's memory. */
void listener_close_all(struct listener_set *set);

#endif
