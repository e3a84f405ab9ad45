/* SPDX-License-Identifier: MIT */
#include "daemon/run/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"

/* How many children are killed in one round; and how many rounds, for their orphans, and so on. */
#define CHILDREN_MAX 512
#define KILL_ROUNDS  100

int children_watch(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

void children_forget(int child_fd)
{
	struct signalfd_siginfo info;

	(void)!read(child_fd, &info, sizeof(info));
}

/* The children of this process, as the kernel lists them. Returns how many, or -1. */
static int list_children(pid_t children[CHILDREN_MAX])
{
	char list[CHILDREN_MAX * 8];
	int list_fd = open(CHILDREN_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t len = list_fd < 0 ? -1 : read(list_fd, list, sizeof(list));
	int count = len < 0 ? -1 : 0;
	pid_t pid = 0;

	/* Each number ends in a blank; one that was cut off at the end of the buffer does not. */
	for (ssize_t i = 0; i < len && count < CHILDREN_MAX; i++) {
		if (list[i] >= '0' && list[i] <= '9') {
			pid = pid * 10 + (list[i] - '0');
		} else {
			children[count++] = pid;
			pid = 0;
		}
	}
	io_close(&list_fd);
	return count;
}

static bool is_spared(pid_t pid, const pid_t *spared, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (spared[i] == pid) {
			return true;
		}
	}
	return false;
}

/* Kill those of CHILDREN that are not SPARED, and reap the dead. Returns how many there were. */
static unsigned kill_listed(const pid_t *children, int count, const pid_t *spared,
	unsigned spared_count)
{
	unsigned found = 0;
	pid_t dying = 0;

	for (int i = 0; i < count; i++) {
		if (is_spared(children[i], spared, spared_count)) {
			continue;
		}
		found++;
		kill(children[i], SIGKILL);
		if (waitpid(children[i], NULL, WNOHANG) != children[i]) {
			dying = children[i];
		}
	}
	/* Each was sent a SIGKILL: the end of one is awaited, not slept for. */
	if (dying) {
		waitpid(dying, NULL, 0);
	}
	return found;
}

void children_kill(const pid_t *spared, unsigned spared_count)
{
	for (int round = 0; round < KILL_ROUNDS; round++) {
		pid_t children[CHILDREN_MAX];
		siginfo_t info;
		int count;

		/* Usually there is no child at all, and this is the only system call. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
			break;
		}
		count = list_children(children);
		if (count < 0 && !spared_count) {
			while (waitpid(-1, NULL, WNOHANG) > 0) {
			}
		}
		if (count < 0 || !kill_listed(children, count, spared, spared_count)) {
			break;
		}
	}
}
