/* SPDX-License-Identifier: MIT */
#include "common/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/io.h"

/* Of asm-generic/socket.h, which all but the oldest architectures use; for older headers. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* One byte has to go with a descriptor; more is not needed. */
#define DATA_BYTES 64

void fdpass_discard(int *passed_fd)
{
	struct linger none = { .l_onoff = 0 };
	struct linger linger;
	socklen_t len = sizeof(linger);

	if (*passed_fd < 0) {
		return;
	}
	if (getsockopt(*passed_fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff) {
		setsockopt(*passed_fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	}
	io_close(passed_fd);
}

size_t fdpass_take_all(struct msghdr *header, int *passed_fd)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t at = 0; at + sizeof(int) <= len; at += sizeof(int)) {
			fdpass_discard(passed_fd);
			memcpy(passed_fd, CMSG_DATA(c) + at, sizeof(int));
			count++;
		}
	}
	return count;
}

void fdpass_discard_all(struct msghdr *header)
{
	int passed_fd = -1;

	(void)fdpass_take_all(header, &passed_fd);
	fdpass_discard(&passed_fd);
}

ssize_t fdpass_skip(int sock_fd, void *buf, size_t size)
{
	_Alignas(struct cmsghdr) char control[FDPASS_CONTROL_BYTES];
	struct iovec part = { buf, size };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(sock_fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got >= 0 && header.msg_controllen) {
		fdpass_discard_all(&header);
	}
	return got;
}

int fdpass_refuse(int sock_fd)
{
	int zero = 0;

	return setsockopt(sock_fd, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof(zero));
}

enum fdpass_result fdpass_receive(int sock_fd, int *passed_fd)
{
	char data[DATA_BYTES];
	_Alignas(struct cmsghdr) char control[FDPASS_CONTROL_BYTES];
	struct iovec part = { data, sizeof(data) };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(sock_fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	size_t count;

	*passed_fd = -1;
	if (got < 0) {
		return errno == EAGAIN || errno == EINTR ? FDPASS_LATER : FDPASS_END;
	}
	count = fdpass_take_all(&header, passed_fd);
	/* The buffer has room for all that can come: what is cut is cut for want of descriptors. */
	if (count == 0 && (header.msg_flags & MSG_CTRUNC)) {
		return FDPASS_SHORTAGE;
	}
	if (count > 1 || (header.msg_flags & MSG_CTRUNC)) {
		fdpass_discard(passed_fd);
		return FDPASS_TOO_MANY;
	}
	if (got == 0) {
		fdpass_discard(passed_fd);
		return FDPASS_END;
	}
	return count ? FDPASS_GOT : FDPASS_NONE;
}

int fdpass_send(int sock_fd, int passed_fd)
{
	char data = 0;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &data, sizeof(data) };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &passed_fd, sizeof(int));
	return sendmsg(sock_fd, &header, MSG_NOSIGNAL) == sizeof(data) ? 0 : -1;
}
