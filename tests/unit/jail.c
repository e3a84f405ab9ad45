/* SPDX-License-Identifier: MIT */
#include "unit/jail.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/settings.h"
#include "unit/capture.h"
#include "unit/scratch.h"

char jail_file[64];
char jail_absent[64];

static char place[] = "/dev/shm/ruptime-XXXXXX";
static struct settings settings;

void jail_init(void)
{
	ck_assert_ptr_nonnull(mkdtemp(place));
	snprintf(jail_file, sizeof(jail_file), "%s/file", place);
	snprintf(jail_absent, sizeof(jail_absent), "%s/absent", place);
	scratch_init();
}

void jail_fini(void)
{
	remove(jail_file);
	remove(jail_absent);
	remove(place);
	scratch_fini();
}

/* For each probe the same, whatever the last one did. */
static void tidy(void)
{
	int fd;

	remove(jail_file);
	remove(jail_absent);
	fd = open(jail_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "text", 4), 4);
	io_close(&fd);
	ck_assert_int_eq(chdir(scratch_path("").text), 0);
	scratch_command("brought", "exit 0");
}

/* As main, keeper and runner do it. */
static bool enter(enum sandbox_role role, struct sandbox **sandbox)
{
	const char *lacks;
	int notify_fd;

	if (sandbox_new(sandbox, &settings, &lacks) < 0) {
		return false;
	}
	if (sandbox_start_watching(*sandbox) < 0) {
		return false;
	}
	/* The runner's stands on the keeper's. */
	if (role == SANDBOX_RUNNER && sandbox_enter(*sandbox, SANDBOX_KEEPER, NULL) < 0) {
		return false;
	}
	if (sandbox_enter(*sandbox, role, &notify_fd) < 0) {
		return false;
	}
	sandbox_watch(*sandbox, role, &notify_fd);
	return true;
}

static _Noreturn void probe_in_child(const struct jail_probe *probe, enum sandbox_role role,
	int out_fd)
{
	int error = ENOTRECOVERABLE;
	struct sandbox *sandbox;

	if (enter(role, &sandbox)) {
		error = probe->act() < 0 ? errno : 0;
		/* What was refused is in the log, then. */
		sandbox_free(sandbox);
	}
	(void)!write(out_fd, &error, sizeof(error));
	_exit(0);
}

struct jail_outcome jail_try(const struct jail_probe *probe, enum sandbox_role role,
	enum sandbox_level level)
{
	struct jail_outcome outcome = { .error = JAIL_GONE };
	int pipe_fds[2];
	pid_t pid;

	settings = (struct settings){ .sandbox = level, .command = UPTIME_COMMAND };
	tidy();
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	capture_begin();
	pid = fork();
	if (pid == 0) {
		probe_in_child(probe, role, pipe_fds[1]);
	}
	io_close(&pipe_fds[1]);
	(void)!read(pipe_fds[0], &outcome.error, sizeof(outcome.error));
	io_close(&pipe_fds[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	capture_take(outcome.log, sizeof(outcome.log));
	capture_end();
	return outcome;
}

enum sandbox_level jail_highest(void)
{
	const char *why;

	return sandbox_has_strict(&why) ? SANDBOX_STRICT : SANDBOX_BASIC;
}

void jail_try_all(const struct jail_probe *probes, size_t count,
	void (*expect)(const struct jail_probe *probe, enum sandbox_role role,
		enum sandbox_level level))
{
	for (size_t i = 0; i < count; i++) {
		for (int level = (int)probes[i].from; level <= (int)jail_highest(); level++) {
			for (int role = 0; role < SANDBOX_ROLES; role++) {
				if (probes[i].roles & JAIL_BIT(role)) {
					expect(&probes[i], (enum sandbox_role)role,
						(enum sandbox_level)level);
				}
			}
		}
	}
}
