/* SPDX-License-Identifier: MIT */
/*
 * What the processes and threads of ruptimed may still do once they have what they need.
 *
 * Each enters the sandbox of its role: capabilities are given up, no_new_privs is set, Landlock
 * limits what may be done with files, seccomp which system calls there are. All of it holds for the
 * calling thread, for those that it creates from then on, and for the processes that they fork.
 * A call that is refused fails, and is named in the log. doc/security.md has the whole policy.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_SANDBOX_H
#define RUPTIME_DAEMON_SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "daemon/sandbox/roles.h"
#include "daemon/settings.h"

struct sandbox;

/* Was this program built so that SANDBOX_STRICT works? If not, *WHY is the reason. */
bool sandbox_has_strict(const char **why);

/*
 * Make the sandbox that SETTINGS ask for, which are borrowed until sandbox_free(). All roles are
 * tried in a child process first. *LACKS is what this machine cannot do of it, with the call that
 * fails, for the log until the next call; NULL: it can do all of it. With SANDBOX_STRICT what is
 * lacking is an error, but for the names of refused calls. No other thread may run.
 * Returns 0, or -1 with errno. With SANDBOX_OFF *SANDBOX becomes NULL, which all functions take,
 * and then do nothing.
 */
int sandbox_new(struct sandbox **sandbox, const struct settings *settings, const char **lacks);

/*
 * Enter ROLE, for good. *NOTIFY_FD becomes the descriptor that sandbox_watch() is to be given for
 * this role, the caller's, or -1; NULL: calls refused to this thread are not named, and fail with
 * ENOSYS. Returns 0, or -1 with errno. Allocates nothing and takes no lock, so that the child of a
 * process with threads may call it.
 */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd);

/*
 * Has the command been replaced since this process entered SANDBOX_RUNNER, so that it may not be
 * executed here any more, but by a new process? Safe after fork.
 */
bool sandbox_is_outdated(const struct sandbox *sandbox);

/*
 * Start the process that answers for refused calls, and tells of them. Until then they wait, and
 * their callers with them. No other thread may run. Returns 0, or -1 with errno.
 */
int sandbox_start_watching(struct sandbox *sandbox);

/* Takes NOTIFY_FD, see sandbox_enter(). May be called before that process is started. */
void sandbox_watch(const struct sandbox *sandbox, enum sandbox_role role, int *notify_fd);

/* What becomes readable when a call has been refused; -1: none is told of. Borrowed. */
int sandbox_news_fd(const struct sandbox *sandbox);

/* Name the calls that have been refused in the log. Returns false if no more is to be heard. */
bool sandbox_log_news(const struct sandbox *sandbox);

/* Name what was refused last, and end that process. NULL is fine. */
void sandbox_free(struct sandbox *sandbox);

#endif
