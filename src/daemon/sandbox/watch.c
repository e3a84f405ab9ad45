/* SPDX-License-Identifier: MIT */
/*
 * The thread that answers for refused system calls, and names them in the log.
 *
 * Whoever makes such a call waits for this thread, perhaps with a lock of the C library in hand:
 * fork() holds that of malloc(). So it is none of those that wait for others: it answers before it
 * does anything that may take a lock, and what its own filter refuses fails without an answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "daemon/sandbox/parts.h"

/* The server, the runner, and runners that died a moment ago. */
#define WATCHED_MAX 8

/* System calls that have a limit of their own in the log; others share one with these. */
#define LIMITS 64

/* Newer kernels may have more to say than we know of. */
#define ROOM_BYTES 512

struct watched {
	enum sandbox_role role;
	int notify_fd;
};

struct watch {
	unsigned count;
	struct watched all[WATCHED_MAX];
	struct log_limit limits[LIMITS];
};

bool sandbox_watch_is_possible(void)
{
	struct seccomp_notif_sizes sizes;
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	       sizes.seccomp_notif <= ROOM_BYTES && sizes.seccomp_notif_resp <= ROOM_BYTES;
}

int sandbox_seccomp_enter(const struct sock_fprog *program, int *notify_fd)
{
	/* Kernels before 5.16 would slow us down against Spectre 4, as if we ran scripts. */
	unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	long result;

	if (notify_fd) {
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	}
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	if (result >= 0 && notify_fd) {
		*notify_fd = (int)result;
	}
	return result < 0 ? -1 : 0;
}

int sandbox_watch_open(struct sandbox *sandbox)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sandbox->watch_fds);
}

void sandbox_watch(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	struct watched watched = { .role = role, .notify_fd = *notify_fd };

	if (*notify_fd < 0) {
		return;
	}
	if (!sandbox ||
	    send(sandbox->watch_fds[1], &watched, sizeof(watched), MSG_NOSIGNAL) < 0) {
		io_close(notify_fd);
	}
	*notify_fd = -1;
}

/* Of the thread that called, so it says more than the process's. "?" if it is gone already. */
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
		char room[ROOM_BYTES];
	} refused = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		char room[ROOM_BYTES];
	} reply = { .room = { 0 } };

	char thread[32];

	/* ENOENT: whoever called was killed meanwhile. */
	if (ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &refused) < 0) {
		return;
	}
	read_name((pid_t)refused.call.pid, thread, sizeof(thread));
	reply.answer.id = refused.call.id;
	reply.answer.error = -EPERM;
	(void)ioctl(watched->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	log_refusal(watch, watched->role, &refused.call, thread);
}

/* Take what sandbox_watch() has sent. Returns false at the end. */
static bool take(struct watch *watch, int from_fd)
{
	struct watched next;

	if (read(from_fd, &next, sizeof(next)) != sizeof(next)) {
		return false;
	}
	if (watch->count == WATCHED_MAX) {
		/* From now on its refused calls fail without a word. */
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
		return true;
	}
	/* Backwards, since forgetting one moves the last one there. */
	for (unsigned i = watch->count; i > 0; i--) {
		if (fds[i].revents & POLLIN) {
			refuse(watch, &watch->all[i - 1]);
		} else if (fds[i].revents) {
			/* Nobody is left who could call. Before Linux 5.9 nobody says so. */
			forget(watch, i - 1);
		}
	}
	return !fds[0].revents || take(watch, from_fd);
}

static void *watch_main(void *argument)
{
	const struct sandbox *sandbox = argument;
	struct watch watch = { .count = 0 };

	pthread_setname_np(pthread_self(), "sandbox");
	if (sandbox_enter(sandbox, SANDBOX_SERVER, NULL) < 0) {
		log_error("the thread of the sandbox cannot enter it: %s", strerror(errno));
	}
	while (watch_once(&watch, sandbox->watch_fds[0])) {
	}
	while (watch.count > 0) {
		forget(&watch, watch.count - 1);
	}
	return NULL;
}

int sandbox_start_watching(struct sandbox *sandbox)
{
	int error = 0;

	if (sandbox && sandbox->notifies) {
		error = pthread_create(&sandbox->thread, NULL, watch_main, sandbox);
		sandbox->watching = !error;
	}
	errno = error;
	return error ? -1 : 0;
}

void sandbox_watch_end(struct sandbox *sandbox)
{
	io_close(&sandbox->watch_fds[1]);
	if (sandbox->watching) {
		pthread_join(sandbox->thread, NULL);
	}
	io_close(&sandbox->watch_fds[0]);
}
