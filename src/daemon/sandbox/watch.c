/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/sandbox/filter.h"

/* The server, the runner, and runners that died a moment ago. */
#define WATCHED_MAX 8

struct watched {
	enum sandbox_role role;
	int notify_fd;
};

struct watch {
	int sock_fd;
	unsigned count;
	struct watched all[WATCHED_MAX];
};

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int sandbox_watch_send(int sock_fd, enum sandbox_role role, int notify_fd)
{
	union control control = { .room = { 0 } };
	struct iovec part = { &role, sizeof(role) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
		.msg_controllen = sizeof(control.room) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(notify_fd));
	memcpy(CMSG_DATA(&control.header), &notify_fd, sizeof(notify_fd));
	return sendmsg(sock_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

bool sandbox_watch_receive(int sock_fd, struct watch_refusal *refusal)
{
	errno = 0;
	return recv(sock_fd, refusal, sizeof(*refusal), MSG_DONTWAIT) == sizeof(*refusal);
}

/* Take what sandbox_watch_send() has sent. Returns false at the end. */
static bool take(struct watch *watch)
{
	union control control;
	struct watched next = { .notify_fd = -1 };
	struct iovec part = { &next.role, sizeof(next.role) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	ssize_t got = recvmsg(watch->sock_fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (header && header->cmsg_type == SCM_RIGHTS) {
		memcpy(&next.notify_fd, CMSG_DATA(header), sizeof(next.notify_fd));
	}
	if (next.notify_fd >= 0 && watch->count < WATCHED_MAX) {
		watch->all[watch->count++] = next;
	} else {
		/* From now on its refused calls fail with ENOSYS, unnamed. */
		io_close(&next.notify_fd);
	}
	return got > 0 || (got < 0 && errno == EINTR);
}

static void forget(struct watch *watch, unsigned i)
{
	io_close(&watch->all[i].notify_fd);
	watch->all[i] = watch->all[--watch->count];
}

/* The name of a thread: it says more than that of its process. "?" if the thread is gone. */
static void read_name(pid_t tid, char name[WATCH_THREAD_BYTES])
{
	char path[64];
	ssize_t len = 0;
	int name_fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	name_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (name_fd >= 0) {
		len = read(name_fd, name, WATCH_THREAD_BYTES);
		io_close(&name_fd);
	}
	/* It ends in a newline. */
	if (len > 0) {
		name[len - 1] = '\0';
	} else {
		strcpy(name, "?");
	}
}

static void refuse(const struct watch *watch, const struct watched *watched)
{
	union {
		struct seccomp_notif call;
		char room[FILTER_NOTICE_BYTES];
	} refused = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		char room[FILTER_NOTICE_BYTES];
	} reply = { .room = { 0 } };
	struct watch_refusal refusal = { .role = watched->role };

	/* ENOENT: the thread that called was killed meanwhile. */
	if (ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &refused) < 0) {
		return;
	}
	refusal.audit_arch = refused.call.data.arch;
	refusal.number = refused.call.data.nr;
	read_name((pid_t)refused.call.pid, refusal.thread);
	/* One that the server has no room for goes unnamed. */
	(void)!send(watch->sock_fd, &refusal, sizeof(refusal), MSG_NOSIGNAL | MSG_DONTWAIT);
	reply.answer.id = refused.call.id;
	reply.answer.error = -EPERM;
	(void)ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

_Noreturn void sandbox_watch_process(int sock_fd)
{
	struct watch watch = { .sock_fd = sock_fd };

	for (;;) {
		struct pollfd fds[WATCHED_MAX + 1] = { { .fd = sock_fd, .events = POLLIN } };

		for (unsigned i = 0; i < watch.count; i++) {
			fds[i + 1] = (struct pollfd){ watch.all[i].notify_fd, POLLIN, 0 };
		}
		if (poll(fds, watch.count + 1, -1) <= 0) {
			continue;
		}
		/* Backwards, since forgetting one moves the last one there. */
		for (unsigned i = watch.count; i > 0; i--) {
			if (fds[i].revents & POLLIN) {
				refuse(&watch, &watch.all[i - 1]);
			} else if (fds[i].revents) {
				/* No thread is left that could call. Linux 5.9 and later say so. */
				forget(&watch, i - 1);
			}
		}
		if (fds[0].revents && !take(&watch)) {
			_exit(0);
		}
	}
}
