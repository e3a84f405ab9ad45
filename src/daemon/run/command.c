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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

/* How long a killed process may take to be gone; only one stuck in the kernel takes longer. */
#define KILL_NS (1 * CLOCK_S)

/* A shell's exit status when a child of its was killed, less the signal's number. */
#define SHELL_SIGNALED 128

/* A run's children that were orphaned and killed, and theirs, and so on: this deep at most. */
#define KILL_ROUNDS 100

struct run {
	pid_t pid;		/* not reaped before it and its group have been killed */
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
	result->stopped = false;
	va_start(args, format);
	vsnprintf(result->text, sizeof(result->text), format, args);
	va_end(args);
}

const char *command_why_not(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, X_OK) < 0) {
		return strerror(errno);
	}
	return S_ISREG(st.st_mode) ? NULL : "not a file that can be executed";
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
	int error;

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return errno;
	}
	/* The child's end is an ordinary, blocking one. */
	fcntl(pipe_fds[1], F_SETFL, 0);
	*run = (struct run){ .out_fd = pipe_fds[0] };
	error = spawn(path, pipe_fds[1], &run->pid);
	io_close(&pipe_fds[1]);
	if (error) {
		io_close(&run->out_fd);
	}
	return error;
}

/* CHILD_FD is readable: is it our child that has ended? */
static bool has_ended(int child_fd, pid_t pid)
{
	siginfo_t status = { .si_pid = 0 };

	command_forget_children(child_fd);
	return waitid(P_PID, (id_t)pid, &status, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       status.si_pid == pid;
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

/*
 * Until the child has exited, printed too much, the deadline has passed or nobody wants to know.
 * The end of the pipe alone says nothing: a child may close it and live on, and a grandchild may
 * hold it long after.
 */
static void follow(struct run *run, uint64_t deadline_ns, int child_fd, int cancel_fd)
{
	struct pollfd fds[3] = {
		{ .fd = child_fd, .events = POLLIN },
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
		if (fds[0].revents && has_ended(child_fd, run->pid)) {
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
static void finish(struct run *run, int child_fd, siginfo_t *status)
{
	struct pollfd child = { .fd = child_fd, .events = POLLIN };
	uint64_t deadline_ns = clock_now_ns() + KILL_NS;
	bool ended = run->exited;

	*status = (siginfo_t){ .si_pid = 0 };
	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL);
	while (!ended && poll(&child, 1, clock_poll_ms(deadline_ns)) > 0) {
		ended = has_ended(child_fd, run->pid);
	}
	if (ended) {
		waitid(P_PID, (id_t)run->pid, status, WEXITED);
	}
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
		result->stopped = false;
		memcpy(result->text, run->out, len);
		result->text[len] = '\0';
	}
}

/* Is this a signal by which a service is told to stop, sent to all of its processes perhaps? */
static bool asks_to_stop(int signal_number)
{
	return signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGHUP ||
	       signal_number == SIGQUIT;
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
		result->stopped = asks_to_stop(status->si_status);
	} else if (status->si_status != 0) {
		fail(result, "the command exited with status %d", status->si_status);
		/* What a shell makes of it when the program that it waited for has died of it. */
		result->stopped = asks_to_stop(status->si_status - SHELL_SIGNALED);
	} else {
		judge_output(run, result);
	}
}

int command_watch_children(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

void command_forget_children(int child_fd)
{
	struct signalfd_siginfo info;

	(void)!read(child_fd, &info, sizeof(info));
}

void command_run(const char *path, uint64_t timeout_ns, int child_fd, int cancel_fd,
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
	follow(&run, deadline_ns, child_fd, cancel_fd);
	finish(&run, child_fd, &status);
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
	int list_fd = open(COMMAND_CHILDREN_PATH, O_RDONLY | O_CLOEXEC);
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
