/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "daemon/life/privileges.h"
#include "daemon/sandbox/parts.h"

/* What the domain of this process allows to execute. Of main, and each runner has its own. */
static struct command_files command;

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
		sandbox->notifies = sandbox_watch_is_possible();
		if (sandbox_watch_open(sandbox) < 0 || build_programs(sandbox) < 0) {
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
		if (sandbox_landlock_enter(sandbox, role, &command) < 0) {
			return -1;
		}
	}
	if (!sandbox->notifies) {
		notify_fd = NULL;
	}
	return program->len ? sandbox_seccomp_enter(program, notify_fd) : 0;
}

bool sandbox_is_outdated(const struct sandbox *sandbox)
{
	/* Below that level what stands beside the command may be executed as well. */
	return sandbox && sandbox->settings->sandbox == SANDBOX_STRICT &&
	       command_files_is_stale(&command);
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox) {
		return;
	}
	sandbox_watch_end(sandbox);
	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		free(sandbox->programs[role].filter);
	}
	free(sandbox);
}
