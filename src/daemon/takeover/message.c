/* SPDX-License-Identifier: MIT */
#include "daemon/takeover/message.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"

static const char magic[4] = { 'R', 'U', 't', 'o' };

#define HEADER_BYTES offsetof(struct takeover_message, listener)

void takeover_message_init(struct takeover_message *message, enum takeover_kind kind)
{
	memset(message, 0, sizeof(*message));
	memcpy(message->magic, magic, sizeof(magic));
	message->version = TAKEOVER_VERSION;
	message->kind = (uint16_t)kind;
}

/* How much of MESSAGE is used. */
static size_t length_of(const struct takeover_message *message)
{
	switch (message->kind) {
	case TAKEOVER_LISTENER:
		return HEADER_BYTES + sizeof(message->listener);
	case TAKEOVER_SERVING:
		return HEADER_BYTES + sizeof(message->taken);
	case TAKEOVER_COUNTERS:
		return HEADER_BYTES + sizeof(message->counters);
	default:
		return HEADER_BYTES;
	}
}

int takeover_message_send(int peer_fd, const struct takeover_message *message, int passed_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)message, length_of(message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	struct pollfd room = { .fd = peer_fd, .events = POLLOUT };

	if (passed_fd >= 0) {
		struct cmsghdr *c;

		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed_fd, sizeof(int));
	}
	if (poll(&room, 1, TAKEOVER_STEP_MS) <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return sendmsg(peer_fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static int await(int peer_fd, int wait_ms, int stop_fd)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)wait_ms * CLOCK_MS;
	struct pollfd fds[2] = {
		{ .fd = peer_fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int ready;

	do {
		ready = poll(fds, 2, clock_poll_ms(end_ns));
	} while (ready < 0 && errno == EINTR);
	errno = ready < 0 ? errno : fds[1].revents ? ECANCELED : ETIMEDOUT;
	return ready > 0 && !fds[1].revents ? 0 : -1;
}

static bool is_valid(const struct takeover_message *message, ssize_t len)
{
	return len >= (ssize_t)HEADER_BYTES && memcmp(message->magic, magic, sizeof(magic)) == 0 &&
	       message->version + 1 >= TAKEOVER_VERSION &&
	       message->version <= TAKEOVER_VERSION + 1;
}

int takeover_message_receive(int peer_fd, struct takeover_message *message, int *passed_fd,
	int wait_ms, int stop_fd)
{
	_Alignas(struct cmsghdr) char control[FDPASS_CONTROL_BYTES];
	struct iovec part = { message, sizeof(*message) };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;
	size_t count;

	*passed_fd = -1;
	if (await(peer_fd, wait_ms, stop_fd) < 0) {
		return -1;
	}
	memset(message, 0, sizeof(*message));
	got = recvmsg(peer_fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0) {
		return -1;
	}
	count = fdpass_take_all(&header, passed_fd);
	if (got == 0) {
		fdpass_discard(passed_fd);
		errno = ECONNRESET;
		return -1;
	}
	if (count > 1 || (header.msg_flags & MSG_CTRUNC) || !is_valid(message, got)) {
		fdpass_discard(passed_fd);
		errno = EPROTO;
		return -1;
	}
	return 0;
}

bool takeover_peer_is_trusted(int peer_fd, uint32_t uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(peer_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid() || peer.uid == uid);
}
