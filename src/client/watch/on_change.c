/* SPDX-License-Identifier: MIT */
#include "client/watch/on_change.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>


#define WORDS_MAX    64
#define VARIABLES    4
#define VARIABLE_MAX 4096

static const char *const variable_names[VARIABLES] = { "RUPTIME_TARGET", "RUPTIME_CHANGE",
	"RUPTIME_LINE", "RUPTIME_REASON" };

extern char **environ;

struct waiting {
	struct waiting *next;
	char *variables[VARIABLES];
};

struct on_change {
	bool silent;
	char *command;			/* cut into words */
	char *words[WORDS_MAX + 1];
	struct waiting *first;
	struct waiting **end;		/* where the next one goes */
	unsigned waiting;
	pid_t running[ON_CHANGE_RUNNING_MAX];
	unsigned running_count;
	unsigned failed;
};

static void free_waiting(struct waiting *waiting)
{
	for (unsigned i = 0; i < VARIABLES; i++) {
		free(waiting->variables[i]);
	}
	free(waiting);
}

struct on_change *on_change_open(const char *command, bool silent)
{
	struct on_change *on_change = calloc(1, sizeof(*on_change));
	unsigned count = 0;
	char *rest;

	if (!on_change) {
		return NULL;
	}
	on_change->silent = silent;
	on_change->end = &on_change->first;
	on_change->command = strdup(command);
	if (!on_change->command) {
		on_change_close(on_change);
		return NULL;
	}
	for (char *word = strtok_r(on_change->command, " \t", &rest); word && count < WORDS_MAX;
		word = strtok_r(NULL, " \t", &rest)) {
		on_change->words[count++] = word;
	}
	if (!count) {
		on_change_close(on_change);
		errno = EINVAL;
		return NULL;
	}
	return on_change;
}

void on_change_close(struct on_change *on_change)
{
	if (!on_change) {
		return;
	}
	while (on_change->first) {
		struct waiting *waiting = on_change->first;

		on_change->first = waiting->next;
		free_waiting(waiting);
	}
	free(on_change->command);
	free(on_change);
}

static char *make_variable(const char *name, const char *value)
{
	/* A line is escaped, and may have four times as many bytes as were received. */
	char text[VARIABLE_MAX];

	snprintf(text, sizeof(text), "%s=%s", name, value ? value : "");
	return strdup(text);
}

int on_change_add(struct on_change *on_change, const char *target, enum change change,
	const struct report_row *row)
{
	const bool up = row->state == REPORT_UP;
	const char *const values[VARIABLES] = { target, change_name(change), up ? row->line : NULL,
		up ? NULL : row->reason };
	struct waiting *waiting;

	if (on_change->waiting == ON_CHANGE_WAITING_MAX) {
		on_change->failed++;
		errno = ENOBUFS;
		return -1;
	}
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting) {
		return -1;
	}
	for (unsigned i = 0; i < VARIABLES; i++) {
		waiting->variables[i] = make_variable(variable_names[i], values[i]);
		if (!waiting->variables[i]) {
			free_waiting(waiting);
			errno = ENOMEM;
			return -1;
		}
	}
	*on_change->end = waiting;
	on_change->end = &waiting->next;
	on_change->waiting++;
	return 0;
}

/* Is it one of the variables that a command is given? */
static bool is_ours(const char *variable)
{
	for (unsigned i = 0; i < VARIABLES; i++) {
		size_t len = strlen(variable_names[i]);

		if (strncmp(variable, variable_names[i], len) == 0 && variable[len] == '=') {
			return true;
		}
	}
	return false;
}

/* Our own environment and the variables; for free(). */
static char **make_environment(const struct waiting *waiting)
{
	size_t count = 0;
	char **made;

	while (environ[count]) {
		count++;
	}
	made = reallocarray(NULL, count + VARIABLES + 1, sizeof(*made));
	if (!made) {
		return NULL;
	}
	memcpy(made, waiting->variables, sizeof(waiting->variables));
	count = VARIABLES;
	for (char **at = environ; *at; at++) {
		if (!is_ours(*at)) {
			made[count++] = *at;
		}
	}
	made[count] = NULL;
	return made;
}

/* A command has the signals that it would have had without us, and no terminal to read from. */
static int spawn(const struct on_change *on_change, const struct waiting *waiting, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **environment = make_environment(waiting);
	sigset_t set;
	int error;

	if (!environment) {
		return ENOMEM;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (on_change->silent) {
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	}
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGINT);
	posix_spawnattr_setsigdefault(&attributes, &set);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(pid, on_change->words[0], &actions, &attributes, on_change->words,
		environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(environment);
	return error;
}

static void collect(struct on_change *on_change)
{
	for (unsigned i = 0; i < on_change->running_count;) {
		int status;
		pid_t pid = waitpid(on_change->running[i], &status, WNOHANG);

		if (pid == 0 || (pid < 0 && errno == EINTR)) {
			i++;
			continue;
		}
		on_change->failed += pid > 0 && status != 0;
		on_change->running[i] = on_change->running[--on_change->running_count];
	}
}

unsigned on_change_step(struct on_change *on_change)
{
	unsigned failed;

	collect(on_change);
	while (on_change->first && on_change->running_count < ON_CHANGE_RUNNING_MAX) {
		struct waiting *waiting = on_change->first;
		pid_t pid;

		on_change->first = waiting->next;
		if (!on_change->first) {
			on_change->end = &on_change->first;
		}
		on_change->waiting--;
		if (spawn(on_change, waiting, &pid) == 0) {
			on_change->running[on_change->running_count++] = pid;
		} else {
			on_change->failed++;
		}
		free_waiting(waiting);
	}
	failed = on_change->failed;
	on_change->failed = 0;
	return failed;
}
