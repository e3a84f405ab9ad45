/* SPDX-License-Identifier: MIT */
/*
 * How listeners end.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/listen/listener.h"

void listener_close(struct listener *listener)
{
	if (listener->file.inode) {
		unix_socket_remove(&listener->address, &listener->file);
	}
	io_close(&listener->file.dir_fd);
	io_close(&listener->fd);
	io_close(&listener->feed_fd);
	msgq_close(listener->msgq);
	msgq_replies_close(listener->replies);
}

/*
 * A listener that is bound to an interface which does not exist is found by no SYN any more. What
 * has arrived does not notice: connections that are half open finish, those in the backlog stay.
 * A filter could do the same, but on TCP it takes a privilege that has been dropped.
 */
static int shut_tcp(int fd)
{
	int nowhere = INT_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
}

static int drop_datagrams(int fd)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &drop_all };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int listener_shut_door(const struct listener *listener)
{
	if (listener->file.inode) {
		unix_socket_remove(&listener->address, &listener->file);
	}
	if (listener->address.scheme == ADDRESS_TCP) {
		return shut_tcp(listener->fd);
	}
	if (listener->address.scheme == ADDRESS_UDP) {
		return drop_datagrams(listener->fd);
	}
	/* The name may still be there, or another one lead here: then clients are refused. */
	return listener_is_msgq(listener) ? 0 : shutdown(listener->fd, SHUT_RD);
}

void listener_remove_names(const struct listener_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct listener *listener = &set->all[i];

		if (listener->file.inode) {
			unix_socket_remove(&listener->address, &listener->file);
		}
		if (listener->msgq) {
			msgq_remove(listener->msgq);
		}
		if (listener->replies) {
			msgq_replies_remove(listener->replies);
		}
	}
}

void listener_let_go(const struct listener_set *set, int instead_fd)
{
	listener_remove_names(set);
	for (unsigned i = 0; i < set->count; i++) {
		if (set->all[i].fd >= 0) {
			(void)dup3(instead_fd, set->all[i].fd, O_CLOEXEC);
		}
	}
}

void listener_close_all(struct listener_set *set)
{
	while (set->count > 0) {
		listener_close(&set->all[--set->count]);
	}
	free(set->all);
	*set = (struct listener_set){ .all = NULL };
}

void listener_forget(struct listener_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		io_close(&set->all[i].fd);
		io_close(&set->all[i].feed_fd);
		io_close(&set->all[i].file.dir_fd);
	}
	free(set->all);
	*set = (struct listener_set){ .all = NULL };
}

void listener_drop_unshared(struct listener_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (!set->all[i].shared) {
			listener_close(&set->all[i]);
		}
	}
	free(set->all);
	*set = (struct listener_set){ .all = NULL };
}
