/* SPDX-License-Identifier: MIT */
#include "daemon/run/runner_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fdpass.h"
#include "common/io.h"

enum { SERVER_FD = 3 };

/*
 * Leave 0-2 on /dev/null and the server's socket on SERVER_FD; close all the rest, the sockets of
 * the server first of all. A connection that lived on here would never end for its client.
 */
static int settle_descriptors(int server_fd)
{
	int null_fd;

	if (server_fd != SERVER_FD && dup3(server_fd, SERVER_FD, O_CLOEXEC) < 0) {
		return -1;
	}
	if (io_close_range(SERVER_FD + 1, UINT_MAX) < 0) {
		return -1;
	}
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0) {
		return -1;
	}
	for (int fd = 0; fd <= 2; fd++) {
		dup2(null_fd, fd);
	}
	return close(null_fd);
}

/* Become what the runner is meant to be, and tell the server. */
static int settle(int server_fd, const struct runner_config *config)
{
	const char ready_byte = 0;
	int notify_fd;
	int result;

	if (settle_descriptors(server_fd) < 0 ||
	    (config->privileges && privileges_take(config->privileges) < 0) ||
	    sandbox_enter(config->sandbox, SANDBOX_RUNNER, &notify_fd) < 0) {
		return -1;
	}
	if (notify_fd < 0) {
		return send(SERVER_FD, &ready_byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	}
	result = fdpass_send(SERVER_FD, notify_fd);
	io_close(&notify_fd);
	return result;
}

_Noreturn void runner_process(int server_fd, const struct runner_config *config)
{
	static struct command_result result;
	const char outdated_byte = 0;
	uint64_t timeout_ns;
	sigset_t all;

	prctl(PR_SET_NAME, "ruptimed-runner");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* A signal to the server's group, as ^C is, shall not end a command just forked. */
	setpgid(0, 0);
	/* So that a command's orphans come here, and not to an init that lets them live. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (settle(server_fd, config) < 0) {
		_exit(errno);
	}
	for (;;) {
		size_t len;
		ssize_t got = recv(SERVER_FD, &timeout_ns, sizeof(timeout_ns), 0);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got != sizeof(timeout_ns)) {
			_exit(0);
		}
		command_run(config->command, timeout_ns, SERVER_FD, &result);
		/* What hung has run; whoever waits has no time for another run. */
		if (!result.ok && !result.timed_out && sandbox_is_outdated(config->sandbox)) {
			(void)!send(SERVER_FD, &outdated_byte, RUNNER_OUTDATED_BYTES, MSG_NOSIGNAL);
			_exit(0);
		}
		len = offsetof(struct command_result, text) + strlen(result.text) + 1;
		if (send(SERVER_FD, &result, len, MSG_NOSIGNAL) < 0) {
			_exit(0);
		}
	}
}
