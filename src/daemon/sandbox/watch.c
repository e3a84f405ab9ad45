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
#include "common/log.h"
#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/seccomp.h"

/* The server, the runner, and runners that died a moment ago. */
#define WATCHED_MAX 8

/* System calls that have a limit of their own in the log; others share one with these. */
#define LIMITS 64

/* Between two rounds when poll() fails. */
#define POLL_FAILED_MS 100

struct watched {
	enum sandbox_role role;
	int notify_fd;
};

struct watch {
	unsigned count;
	struct watched all[WATCHED_MAX];
	struct log_limit limits[LIMITS];
};

int sandbox_watch_send(int to_fd, enum sandbox_role role, int notify_fd)
{
	const struct watched watched = { .role = role, .notify_fd = notify_fd };

	return send(to_fd, &watched, sizeof(watched), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The name of a thread: it says more than that of its process. "?" if the thread is gone. */
static void read_name(pid_t tid, char *name, size_t size)
{
	char path[64];
	ssize_t len = 0;
	int name_fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	name_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (name_fd >= 0) {
		len = read(name_fd, name, size);
		io_close(&name_fd);
	}
	/* It ends in a newline. */
	if (len > 0) {
		name[len - 1] = '\0';
	} else {
		strcpy(name, "?");
	}
}

static void log_refusal(struct watch *watch, enum sandbox_role role,
	const struct seccomp_notif *refused, const char *thread)
{
	struct log_limit *limit = &watch->limits[(unsigned)refused->data.nr % LIMITS];
	char call[64];

	sandbox_seccomp_name(refused->data.arch, refused->data.nr, call, sizeof(call));
	log_limited(limit, "the sandbox refused %s() to %s, %s", call, thread,
		role == SANDBOX_SERVER ? "a thread of the server" : "the runner or its command");
}

static void refuse(struct watch *watch, const struct watched *watched)
{
	union {
		struct seccomp_notif call;
		char room[FILTER_NOTICE_BYTES];
	} refused = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		char room[FILTER_NOTICE_BYTES];
	} reply = { .room = { 0 } };
	char thread[32];

	/* ENOENT: the thread that called was killed meanwhile. */
	if (ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &refused) < 0) {
		return;
	}
	read_name((pid_t)refused.call.pid, thread, sizeof(thread));
	/* Answer first, log then: the log takes a lock, which the caller may hold. */
	reply.answer.id = refused.call.id;
	reply.answer.error = -EPERM;
	(void)ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	log_refusal(watch, watched->role, &refused.call, thread);
}

/* Take what sandbox_watch_send() has sent. Returns false at the end. */
static bool take(struct watch *watch, int from_fd)
{
	struct watched next;

	if (read(from_fd, &next, sizeof(next)) != sizeof(next)) {
		return false;
	}
	if (watch->count == WATCHED_MAX) {
		/* From now on its refused calls fail with ENOSYS, unnamed. */
		io_close(&next.notify_fd);
	} else {
		watch->all[watch->count++] = next;
	}
	return true;
}

static void forget(struct watch *watch, unsigned i)
{
	io_close(&watch->all[i].notify_fd);
	watch->all[i] = watch->all[--watch->count];
}

/* Wait, and do what there is to do. Returns false when there will be nothing more. */
static bool watch_once(struct watch *watch, int from_fd)
{
	struct pollfd fds[WATCHED_MAX + 1] = { { .fd = from_fd, .events = POLLIN } };

	for (unsigned i = 0; i < watch->count; i++) {
		fds[i + 1] = (struct pollfd){ watch->all[i].notify_fd, POLLIN, 0 };
	}
	if (poll(fds, watch->count + 1, -1) <= 0) {
		/* Not for long: this thread must not take a processor from those that serve. */
		(void)poll(NULL, 0, POLL_FAILED_MS);
		return true;
	}
	/* Backwards, since forgetting one moves the last one there. */
	for (unsigned i = watch->count; i > 0; i--) {
		if (fds[i].revents & POLLIN) {
			refuse(watch, &watch->all[i - 1]);
		} else if (fds[i].revents) {
			/* No thread is left that could call. Kernels before 5.9 do not say so. */
			forget(watch, i - 1);
		}
	}
	return !fds[0].revents || take(watch, from_fd);
}

void sandbox_watch_run(int from_fd)
{
	struct watch watch = { .count = 0 };

	while (watch_once(&watch, from_fd)) {
	}
	while (watch.count > 0) {
		forget(&watch, watch.count - 1);
	}
}
