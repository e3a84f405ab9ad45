/* SPDX-License-Identifier: MIT */
#include "daemon/run/runner_process.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/command.h"
#include "daemon/run/messages.h"
#include "daemon/run/warm.h"

/*
 * How many times a command is run for one request when it is told to stop along with the service.
 * It may be told twice, by the terminal and by the one who started it.
 */
#define TRIES_MAX 4

/* How often, and how long apart, a descriptor is sent that the kernel does not take on its way. */
#define SEND_TRIES   100
#define SEND_REST_MS 10

/* ETOOMANYREFS: all programs of this user together have RLIMIT_NOFILE descriptors on their way. */
static int send_notify_fd(int notify_fd)
{
	for (unsigned i = 0; fdpass_send(MESSAGE_REPORT_FD, notify_fd) < 0; i++) {
		if (errno != ETOOMANYREFS || i == SEND_TRIES) {
			return -1;
		}
		poll(NULL, 0, SEND_REST_MS);
	}
	return 0;
}

/* Become what the runner is meant to be, and tell main. Returns the call that failed, or NULL. */
static const char *settle(const struct runner_config *config, int *child_fd)
{
	const char settled_byte = 0;
	int notify_fd;
	int result;

	*child_fd = children_watch();
	if (*child_fd < 0) {
		return "signalfd";
	}
	if (sandbox_enter(config->sandbox, SANDBOX_RUNNER, &notify_fd) < 0) {
		return "sandbox";
	}
	result = notify_fd < 0 ? (int)send(MESSAGE_REPORT_FD, &settled_byte, 1, MSG_NOSIGNAL)
			       : send_notify_fd(notify_fd);
	io_close(&notify_fd);
	return result < 0 ? "send" : NULL;
}

/* Wait for a request, and mind the loaded command. Returns false when the server is gone. */
static bool next(struct warm *warm, struct message_request *request)
{
	struct pollfd fds[2] = { { .fd = MESSAGE_RUN_FD, .events = POLLIN } };
	ssize_t got;

	do {
		fds[1] = (struct pollfd){ .fd = warm_watch_fd(warm), .events = POLLIN };
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			return false;
		}
		if (fds[1].revents) {
			warm_hear(warm);
		}
	} while (!fds[0].revents);
	got = recv(MESSAGE_RUN_FD, request, sizeof(*request), MSG_DONTWAIT);
	if (got != sizeof(*request)) {
		return false;
	}
	while (recv(MESSAGE_RUN_FD, request, sizeof(*request), MSG_DONTWAIT) > 0) {
	}
	return true;
}

static void run(const struct command *command, uint64_t timeout_ns, struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;

	for (unsigned i = 0; i < TRIES_MAX; i++) {
		uint64_t now_ns = clock_now_ns();

		if (i > 0 && (!result->stopped || now_ns >= deadline_ns)) {
			break;
		}
		command_run(command, i ? deadline_ns - now_ns : timeout_ns, result);
	}
}

static int answer(const struct message_answer *answer)
{
	size_t len = offsetof(struct message_answer, result.text) + strlen(answer->result.text) + 1;

	return send(MESSAGE_RUN_FD, answer, len, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

_Noreturn void runner_process(const struct runner_config *config)
{
	static struct message_answer done;
	static struct warm warm;
	struct command command = { config->command, &warm, -1, MESSAGE_RUN_FD };
	struct message_request request;
	const char *failed;

	prctl(PR_SET_NAME, "ruptimed-runner");
	/* So that a command's orphans come here, and can be killed with the run. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	failed = settle(config, &command.child_fd);
	if (failed) {
		message_complain(MESSAGE_REPORT_FD, failed, errno);
		_exit(RUNNER_EXIT_FAILED);
	}
	close(MESSAGE_REPORT_FD);
	warm_init(&warm, config->command, config->preload);
	warm_prepare(&warm);
	while (next(&warm, &request)) {
		/* It has waited for another runner, which was stopped. */
		if (clock_now_ns() >= request.until_ns) {
			continue;
		}
		done.id = request.id;
		run(&command, request.timeout_ns, &done.result);
		snprintf(done.result.cold_reason, sizeof(done.result.cold_reason), "%s",
			warm.cold_reason ? warm.cold_reason : "");
		/* What hung has run; a client that waits has no time for another run. */
		if (!done.result.ok && !done.result.timed_out &&
		    sandbox_is_outdated(config->sandbox)) {
			_exit(RUNNER_EXIT_OUTDATED);
		}
		if (answer(&done) < 0) {
			break;
		}
		warm_prepare(&warm);
	}
	warm_unload(&warm);
	_exit(RUNNER_EXIT_OVER);
}
