/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/sandbox.h"

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

#include "common/io.h"
#include "common/log.h"
#include "daemon/life/privileges.h"
#include "daemon/sandbox/command_files.h"
#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/seccomp.h"
#include "daemon/sandbox/watch.h"

/* The watcher's socket, once it is a process. */
#define WATCH_FD 3

/* How long the watcher may take to end when the server does. */
#define WATCHER_END_MS 500

/* Refused calls that are named in a row. */
#define NEWS_AT_ONCE 64

/* System calls that have a limit of their own in the log; others share one with these. */
#define LIMITS 64

/* Room for what the machine lacks, and why. */
#define LACKS_BYTES 256

struct sandbox {
	const struct settings *settings;
	int landlock_version;                      /* 0: the kernel has none */
	bool notifies;                             /* calls that are refused can be named */
	struct sock_fprog programs[SANDBOX_ROLES]; /* of length 0 without seccomp */
	int watch_fds[2]; /* [0]: the watcher's */
	pid_t watcher;    /* 0: there is none */
};

/* What the domain of this process allows to execute. The keeper and each runner have their own. */
static struct command_files command;

bool sandbox_has_strict(const char **why)
{
	*why = sandbox_seccomp_lacks_strict();
	return !*why;
}

static int build_programs(struct sandbox *sandbox)
{
	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		if (sandbox_seccomp_build((enum sandbox_role)role, sandbox->settings,
			    sandbox->notifies, &sandbox->programs[role]) < 0) {
			return -1;
		}
	}
	return 0;
}

static void drop_programs(struct sandbox *sandbox)
{
	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		free(sandbox->programs[role].filter);
		sandbox->programs[role] = (struct sock_fprog){ .len = 0 };
	}
}

/* What stands in the way of entering a role. */
struct obstacle {
	enum { NOTHING, PRIVILEGES, LANDLOCK, SECCOMP } part;
	int error;
	const char *call; /* a literal */
};

static struct obstacle obstacle(int part, const char *call)
{
	return (struct obstacle){ .part = part, .error = errno, .call = call };
}

static struct obstacle enter(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	const struct sock_fprog *program = &sandbox->programs[role];
	const char *call;

	if (privileges_drop_capabilities() < 0) {
		return obstacle(PRIVILEGES, "capset");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return obstacle(PRIVILEGES, "prctl");
	}
	if (sandbox->landlock_version) {
		if (role != SANDBOX_SERVER) {
			command_files_look_up(&command, sandbox->settings->command);
		}
		call = sandbox_landlock_enter(
			sandbox->settings, sandbox->landlock_version, role, &command);
		if (call) {
			return obstacle(LANDLOCK, call);
		}
	}
	if (program->len &&
		sandbox_filter_enter(program, sandbox->notifies ? notify_fd : NULL) < 0) {
		return obstacle(SECCOMP, "seccomp");
	}
	return obstacle(NOTHING, NULL);
}

static _Noreturn void try_in_child(
	const struct sandbox *sandbox, enum sandbox_role role, int out_fd)
{
	struct obstacle found = { .part = NOTHING };
	int notify_fd;

	/* The runner's sandbox is within the keeper's. */
	if (role == SANDBOX_RUNNER) {
		found = enter(sandbox, SANDBOX_KEEPER, NULL);
	}
	if (found.part == NOTHING) {
		found = enter(sandbox, role, &notify_fd);
	}
	(void)!write(out_fd, &found, sizeof(found));
	_exit(0);
}

/*
 * Enter ROLE in a child: what the machine refuses is known then, before anything depends on it.
 * Returns 0 with what was FOUND, or -1 with errno.
 */
static int try_role(const struct sandbox *sandbox, enum sandbox_role role, struct obstacle *found)
{
	int pipe_fds[2];
	pid_t child;
	ssize_t got;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		return -1;
	}
	child = fork();
	if (child == 0) {
		try_in_child(sandbox, role, pipe_fds[1]);
	}
	io_close(&pipe_fds[1]);
	if (child < 0) {
		io_close(&pipe_fds[0]);
		return -1;
	}
	/* The child is a copy of this process, so its pointer to a literal is good here. */
	got = read(pipe_fds[0], found, sizeof(*found));
	io_close(&pipe_fds[0]);
	waitpid(child, NULL, 0);
	if (got != sizeof(*found)) {
		/* Only a filter that was there before can have killed it. */
		*found = (struct obstacle){ SECCOMP, EPERM, "seccomp" };
	}
	return 0;
}

static void note(char *lacks, const char *part, const struct obstacle *found)
{
	size_t len = strlen(lacks);

	snprintf(lacks + len, LACKS_BYTES - len, "%s%s: %s() fails: %s", len ? "; " : "", part,
		found->call, strerror(found->error));
}

/* Do without what FOUND stands in the way of. Returns 0, or -1 with errno. */
static int do_without(struct sandbox *sandbox, const struct obstacle *found, char *lacks)
{
	bool strict = sandbox->settings->sandbox == SANDBOX_STRICT;

	/* It only reports, so that it is missed at no level. */
	if (found->part == SECCOMP && found->error == EBUSY && sandbox->notifies) {
		note(lacks, "the names of refused calls", found);
		sandbox->notifies = false;
		drop_programs(sandbox);
		return build_programs(sandbox);
	}
	note(lacks, found->part == LANDLOCK ? "Landlock" : "seccomp", found);
	if (strict || found->part == PRIVILEGES) {
		errno = found->error;
		return -1;
	}
	if (found->part == LANDLOCK) {
		sandbox->landlock_version = 0;
	} else {
		drop_programs(sandbox);
	}
	return 0;
}

static int try_roles(struct sandbox *sandbox, char *lacks)
{
	static const enum sandbox_role roles[] = { SANDBOX_RUNNER, SANDBOX_SERVER };

	for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]);) {
		struct obstacle found;

		if (try_role(sandbox, roles[i], &found) < 0) {
			return -1;
		}
		if (found.part == NOTHING) {
			i++;
		} else if (do_without(sandbox, &found, lacks) < 0) {
			return -1;
		}
	}
	return 0;
}

/* What this machine has. Returns 0, or -1 with errno if it is too little. */
static int look_around(struct sandbox *sandbox, char *lacks)
{
	const char *no_seccomp = sandbox_seccomp_lacks();
	const char *missing = no_seccomp ? no_seccomp : sandbox_seccomp_overlooks();

	sandbox->landlock_version = sandbox_landlock_version();
	if (!sandbox->landlock_version) {
		snprintf(lacks, LACKS_BYTES, "Landlock: landlock_create_ruleset() fails: %s",
			strerror(errno));
	}
	if (missing) {
		size_t len = strlen(lacks);

		snprintf(lacks + len, LACKS_BYTES - len, "%s%s", len ? "; " : "", missing);
	}
	if (lacks[0] && sandbox->settings->sandbox == SANDBOX_STRICT) {
		errno = ENOSYS;
		return -1;
	}
	if (no_seccomp) {
		return 0;
	}
	sandbox->notifies = sandbox_filter_can_notify();
	return build_programs(sandbox);
}

int sandbox_new(struct sandbox **made, const struct settings *settings, const char **lacks)
{
	static char text[LACKS_BYTES];
	struct sandbox *sandbox;
	int error;

	*made = NULL;
	*lacks = NULL;
	text[0] = '\0';
	if (settings->sandbox == SANDBOX_OFF) {
		return 0;
	}
	sandbox = calloc(1, sizeof(*sandbox));
	if (!sandbox) {
		return -1;
	}
	sandbox->settings = settings;
	sandbox->watch_fds[0] = sandbox->watch_fds[1] = -1;
	if (look_around(sandbox, text) < 0 || try_roles(sandbox, text) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sandbox->watch_fds) < 0) {
		goto fail;
	}
	*lacks = text[0] ? text : NULL;
	*made = sandbox;
	return 0;
fail:
	error = errno;
	*lacks = text[0] ? text : NULL;
	sandbox_free(sandbox);
	errno = error;
	return -1;
}

int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	struct obstacle found;

	if (notify_fd) {
		*notify_fd = -1;
	}
	if (!sandbox) {
		return 0;
	}
	/* What the command shares its domain with is not for it to look into. */
	if (role != SANDBOX_SERVER) {
		(void)prctl(PR_SET_DUMPABLE, 0);
	}
	found = enter(sandbox, role, notify_fd);
	errno = found.error;
	return found.part == NOTHING ? 0 : -1;
}

bool sandbox_is_outdated(const struct sandbox *sandbox)
{
	/* Below that level what stands beside the command may be executed as well. */
	return sandbox && sandbox->settings->sandbox == SANDBOX_STRICT &&
	       command_files_is_stale(&command);
}

static _Noreturn void watch(const struct sandbox *sandbox)
{
	sigset_t all;
	int sock_fd;

	prctl(PR_SET_NAME, "ruptimed-watch");
	/* It ends when the server is gone, not before: not with a signal to all of its group. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sock_fd = fcntl(sandbox->watch_fds[0], F_DUPFD_CLOEXEC, WATCH_FD + 1);
	if (sock_fd < 0 || dup3(sock_fd, WATCH_FD, O_CLOEXEC) < 0 ||
	    io_close_range(WATCH_FD + 1, UINT_MAX) < 0) {
		_exit(1);
	}
	for (int fd = 0; fd <= 2; fd++) {
		close(fd);
	}
	io_fill_standard();
	/* What is refused to this process itself fails at once: none answers for it. */
	if (sandbox_enter(sandbox, SANDBOX_SERVER, NULL) < 0) {
		_exit(1);
	}
	sandbox_watch_process(WATCH_FD);
}

int sandbox_start_watching(struct sandbox *sandbox)
{
	if (!sandbox || !sandbox->notifies) {
		return 0;
	}
	sandbox->watcher = fork();
	if (sandbox->watcher == 0) {
		watch(sandbox);
	}
	io_close(&sandbox->watch_fds[0]);
	return sandbox->watcher < 0 ? -1 : 0;
}

void sandbox_watch(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	if (*notify_fd >= 0 && sandbox) {
		(void)sandbox_watch_send(sandbox->watch_fds[1], role, *notify_fd);
	}
	io_close(notify_fd);
}

int sandbox_news_fd(const struct sandbox *sandbox)
{
	return sandbox ? sandbox->watch_fds[1] : -1;
}

bool sandbox_log_news(const struct sandbox *sandbox)
{
	static struct log_limit limits[LIMITS];
	struct watch_refusal refusal;

	/* Not for ever, however many calls are tried. */
	for (int i = 0; i < NEWS_AT_ONCE; i++) {
		char call[64];

		if (!sandbox_watch_receive(sandbox->watch_fds[1], &refusal)) {
			return errno == EAGAIN || errno == EINTR;
		}
		refusal.thread[sizeof(refusal.thread) - 1] = '\0';
		sandbox_seccomp_name(refusal.audit_arch, refusal.number, call, sizeof(call));
		log_limited(&limits[(unsigned)refusal.number % LIMITS],
			"the sandbox refused %s() to %s, %s", call, refusal.thread,
			refusal.role == SANDBOX_SERVER ? "a thread of the server"
						       : "the runner or its command");
	}
	return true;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox) {
		return;
	}
	if (sandbox->watcher > 0) {
		struct pollfd gone = { .fd = sandbox->watch_fds[1] };

		/* Whatever was refused has been told of before it was answered. */
		shutdown(sandbox->watch_fds[1], SHUT_WR);
		(void)sandbox_log_news(sandbox);
		if (poll(&gone, 1, WATCHER_END_MS) == 1) {
			waitpid(sandbox->watcher, NULL, 0);
		}
	}
	io_close(&sandbox->watch_fds[0]);
	io_close(&sandbox->watch_fds[1]);
	drop_programs(sandbox);
	free(sandbox);
}
