/* SPDX-License-Identifier: MIT */
#include "daemon/run/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

/* How long a killed process may take to be gone; only one stuck in the kernel takes longer. */
#define KILL_NS (1 * CLOCK_S)

/* A run's children that were orphaned and killed, and theirs, and so on: this deep at most. */
#define KILL_ROUNDS 100

struct run {
	pid_t pid;
	int child_fd;	/* readable when a child may have ended */
	int out_fd;
	size_t len;
	bool too_much;
	bool cancelled;
	bool exited;
	char out[PROTOCOL_LINE_MAX_BYTES];
};

static void fail(struct command_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fail(struct command_result *result, const char *format, ...)
{
	va_list args;

	result->ok = false;
	result->timed_out = false;
	va_start(args, format);
	vsnprintf(result->text, sizeof(result->text), format, args);
	va_end(args);
}

static int prepare_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes,
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int prepare_files(posix_spawn_file_actions_t *files, int out_fd)
{
	int error = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

	if (!error) {
		error = posix_spawn_file_actions_adddup2(files, out_fd, 1);
	}
	if (!error) {
		error = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
	}
	return error;
}

/* Returns 0 or an errno value, as posix_spawn() does. */
static int spawn(const char *path, int out_fd, pid_t *pid)
{
	static char search_path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	char *environment[] = { search_path, locale, NULL };
	const char *slash = strrchr(path, '/');
	char name[NAME_MAX + 1];
	char *argv[] = { name, NULL };
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	int error;

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&files);
	error = prepare_attributes(&attributes);
	if (!error) {
		error = prepare_files(&files, out_fd);
	}
	if (!error) {
		error = posix_spawn(pid, path, &files, &attributes, argv, environment);
	}
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return error;
}

/* Returns 0 or an errno value; on success the child runs and *RUN is filled. */
static int start(struct run *run, const char *path)
{
	int pipe_fds[2];
	sigset_t child;
	int error;

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return errno;
	}
	/* The child's end is an ordinary, blocking one. */
	fcntl(pipe_fds[1], F_SETFL, 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	*run = (struct run){
		.out_fd = pipe_fds[0],
		.child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK),
	};
	error = run->child_fd < 0 ? errno : spawn(path, pipe_fds[1], &run->pid);
	io_close(&pipe_fds[1]);
	if (error) {
		io_close(&run->child_fd);
		io_close(&run->out_fd);
	}
	return error;
}

/* Read what there is. Returns false at the end of the pipe. */
static bool collect(struct run *run)
{
	for (;;) {
		char surplus;
		size_t room = sizeof(run->out) - run->len;
		ssize_t got = read(run->out_fd, room ? run->out + run->len : &surplus,
			room ? room : 1);

		if (got > 0 && !room) {
			run->too_much = true;
			return true;
		}
		if (got > 0) {
			run->len += (size_t)got;
		} else if (got == 0) {
			return false;
		} else if (errno != EINTR) {
			return errno == EAGAIN;
		}
	}
}

/* Has the command itself exited? It stays what it is, to be reaped by finish(). */
static bool has_exited(const struct run *run)
{
	struct signalfd_siginfo signal_info;
	siginfo_t status = { .si_pid = 0 };

	/* First, so that the next signal is of a child that ends after this. */
	(void)!read(run->child_fd, &signal_info, sizeof(signal_info));
	return waitid(P_PID, (id_t)run->pid, &status, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       status.si_pid == run->pid;
}

/*
 * Until the child has exited, printed too much, the deadline has passed or nobody wants to know.
 * The end of the pipe alone says nothing: a child may close it and live on, and a grandchild may
 * hold it long after.
 */
static void follow(struct run *run, uint64_t deadline_ns, int cancel_fd)
{
	struct pollfd fds[3] = {
		{ .fd = run->child_fd, .events = POLLIN },
		{ .fd = run->out_fd, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLRDHUP },
	};

	while (!run->too_much) {
		int ready = poll(fds, 3, clock_poll_ms(deadline_ns));

		if (ready == 0) {
			return;
		}
		if (ready < 0) {
			continue;
		}
		if (fds[2].revents) {
			run->cancelled = true;
			return;
		}
		if (fds[1].revents && !collect(run)) {
			fds[1].fd = -1;
		}
		if (fds[0].revents && has_exited(run)) {
			run->exited = true;
			collect(run);
			return;
		}
	}
}

/*
 * Kill the group while its leader is not reaped yet, so that the number still means this group;
 * and the leader by itself, should it have left for another group.
 */
static void finish(struct run *run, siginfo_t *status)
{
	struct pollfd child = { .fd = run->child_fd, .events = POLLIN };
	uint64_t end_ns = clock_now_ns() + KILL_NS;

	*status = (siginfo_t){ .si_pid = 0 };
	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL);
	while (!has_exited(run) && poll(&child, 1, clock_poll_ms(end_ns)) > 0) {
	}
	waitid(P_PID, (id_t)run->pid, status, WEXITED | WNOHANG);
	io_close(&run->child_fd);
	io_close(&run->out_fd);
}

static void judge_output(const struct run *run, struct command_result *result)
{
	const char *end = memchr(run->out, '\n', run->len);
	size_t len = end ? (size_t)(end - run->out) : 0;

	if (!run->len) {
		fail(result, "the command printed nothing");
	} else if (!end) {
		fail(result, "the command printed no complete line");
	} else if (!protocol_is_printable(run->out, len)) {
		fail(result, "the command printed a line that is empty or not printable");
	} else {
		result->ok = true;
		result->timed_out = false;
		memcpy(result->text, run->out, len);
		result->text[len] = '\0';
	}
}

static void judge(const struct run *run, const siginfo_t *status, uint64_t timeout_ns,
	struct command_result *result)
{
	if (run->cancelled) {
		fail(result, "the run was given up");
	} else if (run->too_much) {
		fail(result, "the command printed more than %d bytes", PROTOCOL_LINE_MAX_BYTES);
	} else if (!run->exited) {
		fail(result, "the command did not finish within %llu ms",
			(unsigned long long)(timeout_ns / CLOCK_MS));
		result->timed_out = true;
	} else if (status->si_code != CLD_EXITED) {
		fail(result, "the command was killed by signal %d", status->si_status);
	} else if (status->si_status != 0) {
		fail(result, "the command exited with status %d", status->si_status);
	} else {
		judge_output(run, result);
	}
}

void command_run(const char *path, uint64_t timeout_ns, int cancel_fd,
	struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct run run;
	siginfo_t status;
	int error = start(&run, path);

	if (error) {
		fail(result, "the command cannot be run: %s", strerror(error));
		return;
	}
	follow(&run, deadline_ns, cancel_fd);
	finish(&run, &status);
	command_kill_children();
	judge(&run, &status, timeout_ns, result);
}

/*
 * Send a SIGKILL to the children that the kernel lists, as many as fit in one read. No stdio: this
 * process may have been forked by one with threads. Returns how many were sent one.
 */
static unsigned kill_listed(void)
{
	char list[4096];
	int list_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t len = list_fd < 0 ? -1 : read(list_fd, list, sizeof(list));
	unsigned killed = 0;
	int pid = 0;

	/* Each number ends in a blank; one that was cut off at the end of the buffer does not. */
	for (ssize_t i = 0; i < len; i++) {
		if (list[i] >= '0' && list[i] <= '9') {
			pid = pid * 10 + (list[i] - '0');
			continue;
		}
		if (pid && kill(pid, SIGKILL) == 0) {
			killed++;
		}
		pid = 0;
	}
	io_close(&list_fd);
	return killed;
}

static unsigned reap_dead(void)
{
	unsigned reaped = 0;

	while (waitpid(-1, NULL, WNOHANG) > 0) {
		reaped++;
	}
	return reaped;
}

unsigned command_kill_children(void)
{
	unsigned reaped = reap_dead();

	/* Usually there is no child at all, and the next system call is the last. */
	for (int round = 0; round < KILL_ROUNDS; round++) {
		siginfo_t info;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !kill_listed()) {
			break;
		}
		/* Each was sent a SIGKILL: the next to die is awaited, not slept for. */
		waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
		reaped += reap_dead();
	}
	return reaped;
}
