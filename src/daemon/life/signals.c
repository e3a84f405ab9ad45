/* SPDX-License-Identifier: MIT */
#include "daemon/life/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* They are to be seen even where the process is one in a group that gets them all. */
static const int never_held[] = {
	SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN,
	SIGTTOU,
};

static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };

static void (*tidy_first)(void);

static void end(int signal_number)
{
	if (tidy_first) {
		tidy_first();
	}
	/* The handler has gone with SA_RESETHAND: this is the end. */
	(void)raise(signal_number);
}

void signals_end_at_once(void (*tidy)(void))
{
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESETHAND | SA_NODEFER };
	sigset_t both;

	sigemptyset(&action.sa_mask);
	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGINT);
	tidy_first = tidy;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &both, NULL);
}

void signals_hold(void)
{
	sigset_t held;

	sigfillset(&held);
	for (size_t i = 0; i < sizeof(never_held) / sizeof(never_held[0]); i++) {
		sigdelset(&held, never_held[i]);
	}
	pthread_sigmask(SIG_SETMASK, &held, NULL);
}

int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		sigaddset(&set, taken[i]);
	}
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int signals_next(int signal_fd)
{
	struct signalfd_siginfo info;

	return read(signal_fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
