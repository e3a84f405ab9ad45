/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/sandbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/log.h"
#include "daemon/life/privileges.h"
#include "daemon/sandbox/command_files.h"
#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/seccomp.h"
#include "daemon/sandbox/watch.h"

struct sandbox {
	const struct settings *settings;
	int landlock_version;				/* 0: the kernel has none */
	bool notifies;					/* calls that are refused can be named */
	struct sock_fprog programs[SANDBOX_ROLES];	/* of length 0 without seccomp */
	int watch_fds[2];				/* [1]: to the thread that watches */
	pthread_t thread;
	bool watching;
};

/* What the domain of this process allows to execute. Of main, and each runner has its own. */
static struct command_files command;

bool sandbox_has_strict(const char **why)
{
	*why = sandbox_seccomp_lacks_strict();
	return !*why;
}

static int build_programs(struct sandbox *sandbox)
{
	enum sandbox_level level = sandbox->settings->sandbox;

	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		if (sandbox_seccomp_build((enum sandbox_role)role, level, sandbox->notifies,
			    &sandbox->programs[role]) < 0) {
			return -1;
		}
	}
	return 0;
}

int sandbox_new(struct sandbox **made, const struct settings *settings, const char **lacks)
{
	struct sandbox *sandbox;
	int error;

	*made = NULL;
	*lacks = NULL;
	if (settings->sandbox == SANDBOX_OFF) {
		return 0;
	}
	sandbox = calloc(1, sizeof(*sandbox));
	if (!sandbox) {
		return -1;
	}
	sandbox->settings = settings;
	sandbox->watch_fds[0] = sandbox->watch_fds[1] = -1;
	sandbox->landlock_version = sandbox_landlock_version();
	*lacks = sandbox_seccomp_lacks();
	if (!*lacks) {
		sandbox->notifies = sandbox_filter_can_notify();
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sandbox->watch_fds) < 0 ||
		    build_programs(sandbox) < 0) {
			goto fail;
		}
	}
	if (!sandbox->landlock_version) {
		*lacks = *lacks ? "neither Landlock nor seccomp" : "no Landlock in this kernel";
	}
	if (*lacks && settings->sandbox == SANDBOX_STRICT) {
		errno = ENOSYS;
		goto fail;
	}
	*made = sandbox;
	return 0;
fail:
	error = errno;
	sandbox_free(sandbox);
	errno = error;
	return -1;
}

int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd)
{
	const struct sock_fprog *program;

	if (notify_fd) {
		*notify_fd = -1;
	}
	if (!sandbox) {
		return 0;
	}
	program = &sandbox->programs[role];
	if (privileges_drop_capabilities() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -1;
	}
	if (sandbox->landlock_version) {
		if (role != SANDBOX_SERVER) {
			command_files_look_up(&command, sandbox->settings->command);
		}
		if (sandbox_landlock_enter(sandbox->settings, sandbox->landlock_version, role,
			    &command) < 0) {
			return -1;
		}
	}
	if (!sandbox->notifies) {
		notify_fd = NULL;
	}
	return program->len ? sandbox_filter_enter(program, notify_fd) : 0;
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
		error = pthread_create(&sandbox->thread, NULL, watch_main, sandbox);
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
	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		free(sandbox->programs[role].filter);
	}
	free(sandbox);
}
