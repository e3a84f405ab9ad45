/* SPDX-License-Identifier: MIT */
#include "daemon/run/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/messages.h"

/* Between two starts: a runner that dies at once must not become a fork bomb of ours. */
#define RESTART_NS (100 * CLOCK_MS)

struct keeper {
	const struct runner_config *config;
	int report_fd;			/* MESSAGE_REPORT_FD, once it is there */
	int child_fd;			/* see children_watch() */
	pid_t runner;			/* 0: none */
	bool over;			/* the server wants no more runs */
	uint64_t not_before_ns;		/* when the next one may be started */
};

/*
 * Leave 0-2 on /dev/null and the two sockets on their numbers; close all the rest. What lived on
 * here would never end for its other side.
 */
static int settle_descriptors(int run_fd, int report_fd)
{
	int run_copy_fd = fcntl(run_fd, F_DUPFD_CLOEXEC, MESSAGE_REPORT_FD + 1);
	int report_copy_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, MESSAGE_REPORT_FD + 1);

	if (run_copy_fd < 0 || report_copy_fd < 0 ||
	    dup3(run_copy_fd, MESSAGE_RUN_FD, O_CLOEXEC) < 0 ||
	    dup3(report_copy_fd, MESSAGE_REPORT_FD, O_CLOEXEC) < 0 ||
	    io_close_range(MESSAGE_REPORT_FD + 1, UINT_MAX) < 0) {
		return -1;
	}
	for (int fd = 0; fd <= 2; fd++) {
		close(fd);
	}
	io_fill_standard();
	return 0;
}

/* Become what the keeper is meant to be. Returns the call that failed, with errno, or NULL. */
static const char *settle(struct keeper *keeper, int run_fd)
{
	const struct runner_config *config = keeper->config;

	if (settle_descriptors(run_fd, keeper->report_fd) < 0) {
		return "dup3";
	}
	keeper->report_fd = MESSAGE_REPORT_FD;
	keeper->child_fd = children_watch();
	if (keeper->child_fd < 0) {
		return "signalfd";
	}
	if (config->privileges && privileges_take(config->privileges) < 0) {
		return "setresuid";
	}
	/*
	 * The end of its socket comes first; this is for a keeper that has been stopped. A
	 * change of users clears it, so not earlier.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		return "prctl";
	}
	return sandbox_enter(config->sandbox, SANDBOX_KEEPER, NULL) < 0 ? "sandbox" : NULL;
}

static void start_runner(struct keeper *keeper)
{
	pid_t pid;

	keeper->not_before_ns = clock_now_ns() + RESTART_NS;
	pid = fork();
	if (pid == 0) {
		io_close(&keeper->child_fd);
		runner_process(keeper->config);
	}
	if (pid < 0) {
		message_complain(MESSAGE_REPORT_FD, "fork", errno);
		return;
	}
	keeper->runner = pid;
}

/* If the runner has ended, so does all that it has started, and who waits for an answer is told. */
static void bury_runner(struct keeper *keeper)
{
	char notice = MESSAGE_DIED;
	int status;

	if (!keeper->runner || waitpid(keeper->runner, &status, WNOHANG) != keeper->runner) {
		return;
	}
	keeper->over = WIFEXITED(status) && WEXITSTATUS(status) == RUNNER_EXIT_OVER;
	if (WIFEXITED(status) && WEXITSTATUS(status) == RUNNER_EXIT_OUTDATED) {
		notice = MESSAGE_OUTDATED;
		keeper->not_before_ns = 0;
	}
	keeper->runner = 0;
	children_kill(NULL, 0);
	(void)!send(MESSAGE_RUN_FD, &notice, sizeof(notice), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns false when the server is gone. */
static bool obey(struct keeper *keeper)
{
	char ignored;
	ssize_t got = recv(MESSAGE_REPORT_FD, &ignored, sizeof(ignored), MSG_DONTWAIT);

	if (got > 0 && keeper->runner) {
		kill(keeper->runner, SIGKILL);
	}
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static _Noreturn void end(const struct keeper *keeper)
{
	/* Not in the middle of this: what the runner has started would live on. */
	prctl(PR_SET_PDEATHSIG, 0);
	if (keeper->runner) {
		kill(keeper->runner, SIGKILL);
		waitpid(keeper->runner, NULL, 0);
	}
	children_kill(NULL, 0);
	_exit(0);
}

_Noreturn void keeper_process(int run_fd, int report_fd, const struct runner_config *config)
{
	struct keeper keeper = { .config = config, .report_fd = report_fd };
	struct pollfd fds[2];
	const char *failed;
	sigset_t all;

	prctl(PR_SET_NAME, "ruptimed-keeper");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* A signal to the server's group, as ^C is, shall not end a command just forked. */
	setpgid(0, 0);
	/* What a killed runner had started comes here, and not to an init that lets it live. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	failed = settle(&keeper, run_fd);
	if (failed) {
		message_complain(keeper.report_fd, failed, errno);
		_exit(1);
	}
	fds[0] = (struct pollfd){ .fd = MESSAGE_REPORT_FD, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = keeper.child_fd, .events = POLLIN };
	for (;;) {
		bool idle;

		bury_runner(&keeper);
		if (!keeper.runner && !keeper.over && clock_now_ns() >= keeper.not_before_ns) {
			start_runner(&keeper);
		}
		idle = keeper.runner || keeper.over;
		(void)poll(fds, 2, idle ? -1 : clock_poll_ms(keeper.not_before_ns));
		children_forget(keeper.child_fd);
		if (!obey(&keeper)) {
			end(&keeper);
		}
	}
}
