/* SPDX-License-Identifier: MIT */
#include "daemon/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/options.h"

enum { SERVER_FD = 3 };

/* Room for the settings, which travel in one message. */
#define BUFFER_BYTES (1 << 20)

/* The words of the server. */
enum order { ORDER_READ = 'r', ORDER_IN_FORCE = 'y', ORDER_DROPPED = 'n' };

struct reader {
	int sock_fd;
	pid_t pid;
};

/* How long the process may take to end with its socket, and how often that is looked at. */
#define END_NS	    (500 * CLOCK_MS)
#define END_LOOK_MS 2

/* The process's own. */
struct reader_process {
	uid_t uid;
	gid_t gid;
	struct settings settings;	/* that are in force */
	struct reading reading;		/* that may become so */
};

/* A message of LEN bytes and up to two descriptors, -1: none. Returns 0, or -1 with errno. */
static int send_part(int sock_fd, const void *bytes, size_t len, const int *fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes, len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	unsigned count = !fds || fds[0] < 0 ? 0 : fds[1] < 0 ? 1 : 2;

	if (count) {
		struct cmsghdr *c = (void *)control;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		*c = (struct cmsghdr){ CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return sendmsg(sock_fd, &header, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

static int receive_part(int sock_fd, void *bytes, size_t len, int *fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec part = { bytes, len };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do {
		got = recvmsg(sock_fd, &header, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (fds) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);

		fds[0] = fds[1] = -1;
		if (got >= 0 && c && c->cmsg_type == SCM_RIGHTS) {
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		}
	}
	return got == (ssize_t)len ? 0 : -1;
}

static bool is_served(const struct settings *settings, const struct address *address)
{
	for (unsigned i = 0; i < settings->listen_count; i++) {
		if (address_equal(&settings->listen[i], address)) {
			return true;
		}
	}
	return false;
}

/* All that is new, or nothing. */
static int open_added(struct reader_process *process)
{
	struct reading *reading = &process->reading;

	for (unsigned i = 0; i < reading->settings.listen_count; i++) {
		const struct address *address = &reading->settings.listen[i];
		struct listener_failure failure;
		char text[ADDRESS_TEXT_MAX];

		if (address->scheme == ADDRESS_MSGQ) {
			/* The server can make queues itself, but no socketpairs. */
			if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
				    reading->pairs[reading->pair_count]) == 0) {
				reading->pair_count++;
			}
			continue;
		}
		if (is_served(&process->settings, address) ||
		    listener_open(&reading->added, address, process->uid, process->gid, &failure) ==
			    0) {
			continue;
		}
		address_format(address, text, sizeof(text));
		snprintf(reading->text, sizeof(reading->text), "%s: %s", text, failure.why);
		listener_close_all(&reading->added);
		return -1;
	}
	return 0;
}

static void close_pairs(struct reading *reading)
{
	while (reading->pair_count > 0) {
		reading->pair_count--;
		io_close(&reading->pairs[reading->pair_count][0]);
		io_close(&reading->pairs[reading->pair_count][1]);
	}
}

static int send_reading(const struct reading *reading)
{
	unsigned counts[3] = { reading->ok, reading->added.count, reading->pair_count };

	if (send_part(SERVER_FD, counts, sizeof(counts), NULL) < 0 ||
	    send_part(SERVER_FD, reading->text, sizeof(reading->text), NULL) < 0) {
		return -1;
	}
	if (!reading->ok) {
		return 0;
	}
	if (send_part(SERVER_FD, &reading->settings, sizeof(reading->settings), NULL) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < reading->added.count; i++) {
		const struct listener *listener = &reading->added.all[i];
		int fds[2] = { listener->fd, listener->file.dir_fd };

		if (send_part(SERVER_FD, listener, sizeof(*listener), fds) < 0) {
			return -1;
		}
	}
	for (unsigned i = 0; i < reading->pair_count; i++) {
		if (send_part(SERVER_FD, "", 1, reading->pairs[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

/* One turn: read, send, and hear what became of it. Returns false at the end. */
static bool serve(struct reader_process *process)
{
	struct reading *reading = &process->reading;
	char order;

	if (receive_part(SERVER_FD, &order, 1, NULL) < 0) {
		return false;
	}
	memset(reading, 0, sizeof(*reading));
	reading->ok = daemon_options_read_again(&reading->settings, reading->text,
			      sizeof(reading->text)) == 0 &&
		      open_added(process) == 0;
	if (send_reading(reading) < 0 || receive_part(SERVER_FD, &order, 1, NULL) < 0) {
		listener_remove_names(&reading->added);
		return false;
	}
	close_pairs(reading);
	if (order == ORDER_IN_FORCE) {
		daemon_options_commit();
		process->settings = reading->settings;
		listener_forget(&reading->added);
	} else {
		listener_close_all(&reading->added);
	}
	return true;
}

static _Noreturn void run(int sock_fd, const struct settings *settings, uid_t uid, gid_t gid)
{
	static struct reader_process process;
	sigset_t all;

	prctl(PR_SET_NAME, "ruptimed-reader");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (sock_fd != SERVER_FD && dup3(sock_fd, SERVER_FD, O_CLOEXEC) < 0) {
		_exit(1);
	}
	if (io_close_range(SERVER_FD + 1, UINT_MAX) < 0) {
		_exit(1);
	}
	process.uid = uid;
	process.gid = gid;
	process.settings = *settings;
	while (serve(&process)) {
	}
	_exit(0);
}

struct reader *reader_start(const struct settings *settings, uid_t uid, gid_t gid)
{
	struct reader *reader = malloc(sizeof(*reader));
	int bytes = BUFFER_BYTES;
	/* It sends what it has read in one go. */
	const struct timeval patience = { .tv_sec = 1 };
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (!reader || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		goto fail;
	}
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	pid = fork();
	if (pid == 0) {
		run(pair[1], settings, uid, gid);
	}
	io_close(&pair[1]);
	if (pid < 0) {
		goto fail;
	}
	reader->sock_fd = pair[0];
	reader->pid = pid;
	return reader;
fail:
	io_close(&pair[0]);
	free(reader);
	return NULL;
}

static void give(struct reader *reader, enum order order)
{
	char word = (char)order;

	(void)!send(reader->sock_fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void reader_ask(struct reader *reader)
{
	give(reader, ORDER_READ);
}

int reader_watch_fd(const struct reader *reader)
{
	return reader->sock_fd;
}

static int take(struct reader *reader, struct reading *reading)
{
	unsigned counts[3];

	if (receive_part(reader->sock_fd, counts, sizeof(counts), NULL) < 0 ||
	    receive_part(reader->sock_fd, reading->text, sizeof(reading->text), NULL) < 0) {
		return -1;
	}
	reading->ok = counts[0];
	if (!reading->ok) {
		return 0;
	}
	if (receive_part(reader->sock_fd, &reading->settings, sizeof(reading->settings), NULL) <
		0) {
		return -1;
	}
	reading->added.all = calloc(counts[1] + 1, sizeof(*reading->added.all));
	for (unsigned i = 0; reading->added.all && i < counts[1]; i++) {
		struct listener *listener = &reading->added.all[i];
		int fds[2];

		if (receive_part(reader->sock_fd, listener, sizeof(*listener), fds) < 0) {
			return -1;
		}
		listener->fd = fds[0];
		listener->file.dir_fd = fds[1];
		reading->added.count++;
	}
	for (unsigned i = 0; i < counts[2]; i++) {
		char ignored;

		if (receive_part(reader->sock_fd, &ignored, 1, reading->pairs[i]) < 0) {
			return -1;
		}
		reading->pair_count++;
	}
	return reading->added.all ? 0 : -1;
}

int reader_take(struct reader *reader, struct reading *reading)
{
	memset(reading, 0, sizeof(*reading));
	if (take(reader, reading) < 0) {
		io_close(&reader->sock_fd);
		listener_close_all(&reading->added);
		close_pairs(reading);
		return -1;
	}
	return 0;
}

void reader_confirm(struct reader *reader, bool in_force)
{
	give(reader, in_force ? ORDER_IN_FORCE : ORDER_DROPPED);
}

void reader_free(struct reader *reader)
{
	uint64_t end_ns = clock_now_ns() + END_NS;

	if (!reader) {
		return;
	}
	io_close(&reader->sock_fd);
	while (waitpid(reader->pid, NULL, WNOHANG) == 0 && clock_now_ns() < end_ns) {
		poll(NULL, 0, END_LOOK_MS);
	}
	free(reader);
}
