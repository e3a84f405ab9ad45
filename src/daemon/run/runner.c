/* SPDX-License-Identifier: MIT */
#include "daemon/run/runner.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"
#include "common/fdpass.h"
#include "common/io.h"

/* What the process may need beyond the command's own deadline: to kill it and to say so. */
#define GRACE_NS (1500 * CLOCK_MS)

/* Between two starts: one that dies at once must not become a fork bomb of ours. */
#define RESTART_NS (100 * CLOCK_MS)

/* How long a process may take to begin: it does in a millisecond or two, on a machine at rest. */
#define BEGIN_MS 5000

/* How long a process may take to end by itself when the server stops. */
#define END_MS 1500

enum exchange { EXCHANGE_DONE, EXCHANGE_DIED, EXCHANGE_HUNG, EXCHANGE_OUTDATED };

struct runner {
	const struct runner_config *config;
	int watch_fd;		/* epoll over the next two */
	int timer_fd;
	uint64_t not_before_ns;	/* main's: when the next process may be started */

	pthread_mutex_t lock;	/* protects what follows */
	pthread_cond_t changed;
	pid_t pid;
	int pid_fd;
	int sock_fd;		/* -1: no process that could be asked */
	bool busy;		/* runner_run() uses sock_fd and pid_fd: main leaves them alone */
	bool given_up;
};

static int open_watch(struct runner *runner)
{
	struct epoll_event event = { .events = EPOLLIN };

	runner->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	runner->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (runner->watch_fd < 0 || runner->timer_fd < 0) {
		return -1;
	}
	return epoll_ctl(runner->watch_fd, EPOLL_CTL_ADD, runner->timer_fd, &event);
}

static void arm_timer(struct runner *runner, uint64_t at_ns)
{
	struct itimerspec when = { .it_value = clock_timespec(at_ns) };

	timerfd_settime(runner->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* The process on the other end of SOCK_FD has settled. Returns 0, or -1 if it could not. */
static int await_settled(struct runner *runner, int sock_fd)
{
	struct pollfd settled = { .fd = sock_fd, .events = POLLIN };
	enum fdpass_result result;
	int notify_fd;

	if (poll(&settled, 1, BEGIN_MS) != 1) {
		return -1;
	}
	result = fdpass_receive(sock_fd, &notify_fd);
	sandbox_watch(runner->config->sandbox, SANDBOX_RUNNER, &notify_fd);
	return result == FDPASS_GOT || result == FDPASS_NONE ? 0 : -1;
}

/* It could not begin: errno becomes what it says was in the way. */
static void reap_unsettled(struct runner *runner)
{
	siginfo_t status = { .si_status = 0 };

	if (runner->pid_fd >= 0) {
		pidfd_send_signal(runner->pid_fd, SIGKILL, NULL, 0);
	}
	waitid(P_PID, (id_t)runner->pid, &status, WEXITED);
	io_close(&runner->pid_fd);
	errno = status.si_code == CLD_EXITED && status.si_status ? status.si_status : ETIMEDOUT;
}

/* Fork, and fill in what is known of the child. Lock held, or no other thread yet. */
static int start_process(struct runner *runner)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -1;
	}
	runner->not_before_ns = clock_now_ns() + RESTART_NS;
	runner->pid = fork();
	if (runner->pid == 0) {
		runner_process(pair[1], runner->config);
	}
	io_close(&pair[1]);
	if (runner->pid < 0) {
		io_close(&pair[0]);
		return -1;
	}
	runner->pid_fd = pidfd_open(runner->pid, 0);
	if (runner->pid_fd < 0 || await_settled(runner, pair[0]) < 0 ||
	    epoll_ctl(runner->watch_fd, EPOLL_CTL_ADD, runner->pid_fd, &event) < 0) {
		io_close(&pair[0]);
		reap_unsettled(runner);
		return -1;
	}
	runner->sock_fd = pair[0];
	return 0;
}

static void free_parts(struct runner *runner)
{
	int saved = errno;

	io_close(&runner->sock_fd);
	io_close(&runner->pid_fd);
	io_close(&runner->timer_fd);
	io_close(&runner->watch_fd);
	pthread_cond_destroy(&runner->changed);
	pthread_mutex_destroy(&runner->lock);
	free(runner);
	errno = saved;
}

struct runner *runner_new(const struct runner_config *config)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	pthread_condattr_t attributes;

	if (!runner) {
		return NULL;
	}
	runner->config = config;
	runner->watch_fd = runner->timer_fd = runner->pid_fd = runner->sock_fd = -1;
	pthread_mutex_init(&runner->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&runner->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Should the process be killed, what it was running comes to us, see runner_revive(). */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Who started us may have ignored it; then no child's end and status would ever be seen. */
	signal(SIGCHLD, SIG_DFL);
	if (open_watch(runner) < 0 || start_process(runner) < 0) {
		free_parts(runner);
		return NULL;
	}
	return runner;
}

int runner_watch_fd(const struct runner *runner)
{
	return runner->watch_fd;
}

/* Has the process died? If so reap it, and what it left behind. Lock held, not busy. */
static bool bury(struct runner *runner)
{
	siginfo_t status = { .si_pid = 0 };

	if (runner->pid_fd < 0) {
		return true;
	}
	if (waitid(P_PID, (id_t)runner->pid, &status, WEXITED | WNOHANG) < 0 ||
	    !status.si_pid) {
		return false;
	}
	epoll_ctl(runner->watch_fd, EPOLL_CTL_DEL, runner->pid_fd, NULL);
	io_close(&runner->pid_fd);
	io_close(&runner->sock_fd);
	command_kill_children();
	return true;
}

int runner_revive(struct runner *runner)
{
	uint64_t expirations;
	int result = 0;

	(void)!read(runner->timer_fd, &expirations, sizeof(expirations));
	pthread_mutex_lock(&runner->lock);
	/* Short: whoever uses the socket of a dead process sees its end at once. */
	while (runner->busy) {
		pthread_cond_wait(&runner->changed, &runner->lock);
	}
	if (bury(runner) && !runner->given_up) {
		if (clock_now_ns() < runner->not_before_ns) {
			arm_timer(runner, runner->not_before_ns);
		} else if (start_process(runner) < 0) {
			runner->not_before_ns = clock_now_ns() + RESTART_NS;
			arm_timer(runner, runner->not_before_ns);
			result = -1;
		} else {
			result = 1;
		}
	}
	pthread_cond_broadcast(&runner->changed);
	pthread_mutex_unlock(&runner->lock);
	return result;
}

static void fail(struct command_result *result, const char *text)
{
	result->ok = false;
	result->timed_out = false;
	snprintf(result->text, sizeof(result->text), "%s", text);
}

static enum exchange ask(int sock_fd, uint64_t timeout_ns, uint64_t deadline_ns,
	struct command_result *result)
{
	struct pollfd answer = { .fd = sock_fd, .events = POLLIN };
	ssize_t got;
	int ready;

	if (send(sock_fd, &timeout_ns, sizeof(timeout_ns), MSG_NOSIGNAL) < 0) {
		return EXCHANGE_DIED;
	}
	do {
		ready = poll(&answer, 1, clock_poll_ms(deadline_ns));
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		return EXCHANGE_HUNG;
	}
	got = recv(sock_fd, result, sizeof(*result), MSG_DONTWAIT);
	if (got == RUNNER_OUTDATED_BYTES) {
		return EXCHANGE_OUTDATED;
	}
	if (got <= (ssize_t)offsetof(struct command_result, text)) {
		return EXCHANGE_DIED;
	}
	result->text[sizeof(result->text) - 1] = '\0';
	return EXCHANGE_DONE;
}

/* Wait for a process that can be asked, and reserve it. Lock held. */
static bool reserve(struct runner *runner, uint64_t deadline_ns)
{
	struct timespec deadline = clock_timespec(deadline_ns);

	while (!runner->given_up && runner->sock_fd < 0) {
		if (pthread_cond_timedwait(&runner->changed, &runner->lock, &deadline)) {
			return false;
		}
	}
	runner->busy = !runner->given_up;
	return runner->busy;
}

static enum exchange ask_reserved(struct runner *runner, uint64_t timeout_ns, uint64_t deadline_ns,
	struct command_result *result)
{
	enum exchange outcome;

	pthread_mutex_unlock(&runner->lock);
	outcome = ask(runner->sock_fd, timeout_ns, deadline_ns, result);
	if (outcome == EXCHANGE_HUNG) {
		pidfd_send_signal(runner->pid_fd, SIGKILL, NULL, 0);
	}
	pthread_mutex_lock(&runner->lock);
	if (outcome != EXCHANGE_DONE) {
		io_close(&runner->sock_fd);
	}
	runner->busy = false;
	pthread_cond_broadcast(&runner->changed);
	return outcome;
}

void runner_run(struct runner *runner, uint64_t timeout_ns, struct command_result *result)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns + GRACE_NS;
	enum exchange outcome = EXCHANGE_OUTDATED;
	int deaths = 0;

	pthread_mutex_lock(&runner->lock);
	while ((outcome == EXCHANGE_OUTDATED || (outcome == EXCHANGE_DIED && deaths < 2)) &&
	       reserve(runner, deadline_ns)) {
		outcome = ask_reserved(runner, timeout_ns, deadline_ns, result);
		deaths += outcome == EXCHANGE_DIED;
	}
	if (outcome != EXCHANGE_DONE) {
		fail(result, runner->given_up ? "the server is stopping"
					      : "the runner process does not answer");
		result->timed_out = outcome == EXCHANGE_HUNG;
	}
	pthread_mutex_unlock(&runner->lock);
}

void runner_give_up(struct runner *runner)
{
	pthread_mutex_lock(&runner->lock);
	runner->given_up = true;
	/* To the process this is the end of its server: it kills its command and exits. */
	if (runner->sock_fd >= 0) {
		shutdown(runner->sock_fd, SHUT_RDWR);
	}
	pthread_cond_broadcast(&runner->changed);
	pthread_mutex_unlock(&runner->lock);
}

void runner_end(struct runner *runner, int patience_ms)
{
	struct pollfd gone;

	runner_give_up(runner);
	gone = (struct pollfd){ .fd = runner->pid_fd, .events = POLLIN };
	if (runner->pid_fd >= 0) {
		if (poll(&gone, 1, patience_ms) <= 0) {
			pidfd_send_signal(runner->pid_fd, SIGKILL, NULL, 0);
		}
		waitid(P_PID, (id_t)runner->pid, &(siginfo_t){ 0 }, WEXITED);
		command_kill_children();
	}
}

void runner_free(struct runner *runner)
{
	if (runner) {
		runner_end(runner, END_MS);
		free_parts(runner);
	}
}
