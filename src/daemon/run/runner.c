/* SPDX-License-Identifier: MIT */
#include "daemon/run/runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "daemon/run/keeper.h"

/* What the runner may need beyond the command's own deadline: to kill it and to say so. */
#define GRACE_NS (1500 * CLOCK_MS)

/* How long keeper and runner may take to end when the server stops. */
#define END_MS 1500

enum exchange { EXCHANGE_DONE, EXCHANGE_DIED, EXCHANGE_OUTDATED, EXCHANGE_HUNG, EXCHANGE_OVER };

struct runner {
	const struct sandbox *sandbox;
	pid_t keeper;
	int report_fd;			/* main reads, anyone writes; -1: the keeper is gone */
	int run_fd;			/* the leading worker's */
	uint64_t last_id;		/* the leading worker's, too */
	struct message_answer answer;
	/* main's word to the leading worker, before it shuts run_fd down; which says the rest */
	atomic_bool given_up;
};

/* Fork the keeper. Returns the call that failed, with errno, or NULL. */
static const char *start_keeper(struct runner *runner, const struct runner_config *config)
{
	int run[2];
	int report[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, run) < 0) {
		return "socketpair";
	}
	runner->run_fd = run[0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0) {
		io_close(&run[1]);
		return "socketpair";
	}
	runner->report_fd = report[0];
	runner->keeper = fork();
	if (runner->keeper == 0) {
		keeper_process(run[1], report[1], config);
	}
	io_close(&run[1]);
	io_close(&report[1]);
	return runner->keeper < 0 ? "fork" : NULL;
}

/* Until a runner has settled. Returns 0, or -1 and what has FAILED. */
static int await_settled(struct runner *runner, struct message_report *failed)
{
	struct pollfd news = { .fd = runner->report_fd, .events = POLLIN };
	uint64_t deadline_ns = clock_now_ns() + RUNNER_BEGIN_MS * CLOCK_MS;
	int ready;

	do {
		ready = poll(&news, 1, clock_poll_ms(deadline_ns));
	} while (ready < 0 && errno == EINTR);
	*failed = (struct message_report){ ready == 0 ? ETIMEDOUT : ECHILD, "fork" };
	return ready == 1 && runner_hear(runner, failed) == RUNNER_STARTED ? 0 : -1;
}

struct runner *runner_new(const struct runner_config *config, struct message_report *failed)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	const char *call;

	if (!runner) {
		*failed = (struct message_report){ ENOMEM, "calloc" };
		return NULL;
	}
	runner->sandbox = config->sandbox;
	runner->run_fd = runner->report_fd = -1;
	/* Who started us may have ignored it; then no child's end and status would ever be seen. */
	signal(SIGCHLD, SIG_DFL);
	call = start_keeper(runner, config);
	if (call) {
		failed->error = errno;
		snprintf(failed->call, sizeof(failed->call), "%s", call);
	}
	if (call || await_settled(runner, failed) < 0) {
		runner_free(runner);
		return NULL;
	}
	return runner;
}

int runner_watch_fd(const struct runner *runner)
{
	return runner->report_fd;
}

enum runner_news runner_hear(struct runner *runner, struct message_report *failed)
{
	struct message_report report;
	/* Without taking it: how long it is tells what it is, and what may come with it. */
	ssize_t got = recv(runner->report_fd, &report, sizeof(report), MSG_PEEK | MSG_DONTWAIT);
	int notify_fd;

	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return RUNNER_NO_NEWS;
	}
	if (got == sizeof(report)) {
		(void)!recv(runner->report_fd, failed, sizeof(*failed), MSG_DONTWAIT);
		return RUNNER_NOT_STARTED;
	}
	if (got > 0 && fdpass_receive(runner->report_fd, &notify_fd) != FDPASS_END) {
		sandbox_watch(runner->sandbox, SANDBOX_RUNNER, &notify_fd);
		return RUNNER_STARTED;
	}
	return RUNNER_NO_KEEPER;
}

static void fail(struct command_result *result, const char *text)
{
	*result = (struct command_result){ .ok = false };
	snprintf(result->text, sizeof(result->text), "%s", text);
}

/* Receive an answer to what was asked since FIRST_ID, to RUNNER->answer. */
static enum exchange await_answer(struct runner *runner, uint64_t first_id, uint64_t deadline_ns)
{
	struct pollfd readable = { .fd = runner->run_fd, .events = POLLIN };
	struct message_answer *answer = &runner->answer;

	for (;;) {
		int ready = poll(&readable, 1, clock_poll_ms(deadline_ns));
		ssize_t got;

		if (ready < 0 && errno == EINTR) {
			continue;
		}
		if (ready == 0) {
			return EXCHANGE_HUNG;
		}
		got = ready < 0 ? -1 : recv(runner->run_fd, answer, sizeof(*answer), MSG_DONTWAIT);
		if (got <= 0) {
			return EXCHANGE_OVER;
		}
		if (got == MESSAGE_NOTICE_BYTES) {
			return *(const char *)answer == MESSAGE_OUTDATED ? EXCHANGE_OUTDATED
									: EXCHANGE_DIED;
		}
		/* That to a request which was sent again may come as well, and late. */
		if (answer->id >= first_id) {
			answer->result.text[sizeof(answer->result.text) - 1] = '\0';
			return EXCHANGE_DONE;
		}
	}
}

static enum exchange ask(struct runner *runner, uint64_t first_id, uint64_t timeout_ns,
	uint64_t deadline_ns)
{
	struct message_request request = { ++runner->last_id, timeout_ns, deadline_ns };

	/* No room: the last hundreds were not read. */
	if (send(runner->run_fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN) {
		return EXCHANGE_OVER;
	}
	return await_answer(runner, first_id, deadline_ns);
}

/* Take what is left of requests that were given up. */
static void forget_answers(struct runner *runner)
{
	while (recv(runner->run_fd, &runner->answer, sizeof(runner->answer), MSG_DONTWAIT) > 0) {
	}
}

void runner_run(struct runner *runner, uint64_t timeout_ns, struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns + GRACE_NS;
	uint64_t first_id = runner->last_id + 1;
	enum exchange outcome;
	int deaths = 0;

	forget_answers(runner);
	do {
		outcome = ask(runner, first_id, timeout_ns, deadline_ns);
		deaths += outcome == EXCHANGE_DIED;
	} while (outcome == EXCHANGE_OUTDATED || (outcome == EXCHANGE_DIED && deaths < 2));
	if (outcome == EXCHANGE_DONE) {
		*result = runner->answer.result;
		return;
	}
	if (outcome == EXCHANGE_HUNG) {
		(void)!send(runner->report_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	fail(result, atomic_load_explicit(&runner->given_up, memory_order_acquire)
			     ? "the server is stopping"
			     : "the runner process does not answer");
	result->timed_out = outcome == EXCHANGE_HUNG;
}

void runner_give_up(struct runner *runner)
{
	/* Pairs with runner_run(), which looks after it has seen the end. */
	atomic_store_explicit(&runner->given_up, true, memory_order_release);
	/* To the runner this is the end of its server: it kills its command and exits. */
	(void)shutdown(runner->run_fd, SHUT_RDWR);
}

void runner_end(struct runner *runner, int patience_ms)
{
	/* It hangs up when the last of those who have the other end is gone: the keeper. */
	struct pollfd gone = { .fd = runner->report_fd };

	runner_give_up(runner);
	if (runner->report_fd < 0 || shutdown(runner->report_fd, SHUT_WR) < 0) {
		return;
	}
	if (poll(&gone, 1, patience_ms) == 1 && runner->keeper > 0) {
		/* Main may have reaped it already. */
		(void)waitpid(runner->keeper, NULL, 0);
	}
}

void runner_free(struct runner *runner)
{
	if (runner) {
		runner_end(runner, END_MS);
		io_close(&runner->run_fd);
		io_close(&runner->report_fd);
		free(runner);
	}
}
