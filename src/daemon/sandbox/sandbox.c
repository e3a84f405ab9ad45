/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/life/privileges.h"
#include "daemon/sandbox/command_files.h"
#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/seccomp.h"
#include "daemon/sandbox/watch.h"

/* Room for what the machine lacks, and why. */
#define LACKS_BYTES 256

struct sandbox {
	const struct settings *settings;
	int landlock_version;                      /* 0: the kernel has none */
	bool notifies;                             /* calls that are refused can be named */
	struct sock_fprog programs[SANDBOX_ROLES]; /* of length 0 without seccomp */
	int watch_fds[2];                          /* [1]: to the thread that watches */
	pthread_t thread;
	bool watching;
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

static void *watch_main(void *argument)
{
	const struct sandbox *sandbox = argument;

	pthread_setname_np(pthread_self(), "sandbox");
	/* What is refused to this thread itself fails at once: no other thread answers for it. */
	if (sandbox_enter(sandbox, SANDBOX_SERVER, NULL) < 0) {
		log_error("the thread of the sandbox cannot enter it: %s", strerror(errno));
	}
	sandbox_watch_run(sandbox->watch_fds[0]);
	return NULL;
}

int sandbox_start_watching(struct sandbox *sandbox)
{
	int error = 0;

	if (sandbox && sandbox->notifies) {
		error = thread_start(&sandbox->thread, watch_main, sandbox);
		sandbox->watching = !error;
	}
	errno = error;
	return error ? -1 : 0;
}

void sandbox_watch(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	if (*notify_fd < 0) {
		return;
	}
	if (!sandbox || sandbox_watch_send(sandbox->watch_fds[1], role, *notify_fd) < 0) {
		io_close(notify_fd);
	}
	*notify_fd = -1;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox) {
		return;
	}
	/* The thread ends when there is no more to come. */
	io_close(&sandbox->watch_fds[1]);
	if (sandbox->watching) {
		pthread_join(sandbox->thread, NULL);
	}
	io_close(&sandbox->watch_fds[0]);
	drop_programs(sandbox);
	free(sandbox);
}
