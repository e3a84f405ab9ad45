/* SPDX-License-Identifier: MIT */
#include "daemon/run/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/spawn.h"
#include "daemon/run/warm.h"

/* How long a killed process may take to be gone; only one stuck in the kernel takes longer. */
#define KILL_NS (1 * CLOCK_S)

/*
 * Most commands are over in this time, and what they print waits in the pipe: they are not followed
 * word by word, which would cost a wake-up.
 */
#define BRIEF_MS 3

/* A shell's exit status when a child of its was killed, less the signal's number. */
#define SHELL_SIGNALED 128

struct run {
	pid_t pid;		/* not reaped before it and its group have been killed */
	int out_fd;
	bool warm;
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
	result->warm = false;
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

/* Returns 0 or an errno value; on success the child runs and *RUN is filled. */
static int start_cold(struct run *run, const char *path)
{
	int pipe_fds[2];
	int error;

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return errno;
	}
	/* The child's end is an ordinary, blocking one. */
	fcntl(pipe_fds[1], F_SETFL, 0);
	*run = (struct run){ .out_fd = pipe_fds[0] };
	error = spawn_run(path, pipe_fds[1], &run->pid);
	io_close(&pipe_fds[1]);
	if (error) {
		io_close(&run->out_fd);
	}
	return error;
}

static int start(struct run *run, const struct command *command)
{
	*run = (struct run){ .warm = true };
	if (command->warm && warm_start(command->warm, &run->pid, &run->out_fd) == 0) {
		return 0;
	}
	return start_cold(run, command->path);
}

/* CHILD_FD is readable: is it our child that has ended? */
static bool has_ended(int child_fd, pid_t pid)
{
	siginfo_t status = { .si_pid = 0 };

	children_forget(child_fd);
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
 * Until the child has exited, printed too much, the deadline has passed or the server has gone.
 * The end of the pipe alone says nothing: a child may close it and live on, and a grandchild may
 * hold it long after.
 */
static void follow(struct run *run, uint64_t deadline_ns, int child_fd, int cancel_fd)
{
	struct pollfd fds[3] = {
		{ .fd = child_fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLRDHUP },
	};
	bool brief = true;

	while (!run->too_much) {
		int wait_ms = clock_poll_ms(deadline_ns);
		int ready = poll(fds, 3, brief && wait_ms > BRIEF_MS ? BRIEF_MS : wait_ms);

		if (ready == 0 && (!brief || wait_ms <= BRIEF_MS)) {
			return;
		}
		if (ready == 0) {
			brief = false;
			fds[1].fd = run->out_fd;
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
	if (!ended) {
		kill(run->pid, SIGKILL);
	}
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

/* One run. Returns false if it has come to nothing by what was done ahead of it. */
static bool run_once(const struct command *command, uint64_t timeout_ns,
	struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	pid_t spared[WARM_SPARED];
	unsigned spared_count;
	struct run run;
	siginfo_t status;
	bool is_stale;
	int error = start(&run, command);

	if (error == ENOENT && access("/dev/null", F_OK) < 0) {
		fail(result, "the command cannot be run: there is no /dev/null");
		return true;
	}
	if (error) {
		fail(result, "the command cannot be run: %s", strerror(error));
		return true;
	}
	is_stale = run.warm && warm_is_stale(command->warm);
	if (!is_stale) {
		follow(&run, deadline_ns, command->child_fd, command->cancel_fd);
	}
	finish(&run, command->child_fd, &status);
	spared_count = command->warm ? warm_spare(command->warm, spared) : 0;
	children_kill(spared, spared_count);
	judge(&run, &status, timeout_ns, result);
	result->warm = run.warm;
	/* It may have been killed while it waited. */
	return !is_stale && !(run.warm && run.exited && !run.len &&
			      status.si_code == CLD_KILLED && status.si_status == SIGKILL);
}

void command_run(const struct command *command, uint64_t timeout_ns,
	struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;

	if (!run_once(command, timeout_ns, result)) {
		uint64_t now_ns = clock_now_ns();
		struct command cold = *command;

		cold.warm = NULL;
		(void)run_once(&cold, now_ns < deadline_ns ? deadline_ns - now_ns : 0, result);
	}
}
