/* SPDX-License-Identifier: MIT */
/*
 * System calls by name, for the filters, each with the reason why it is on its list. A list ends in
 * an entry without names. A name that the machine does not have is passed over.
 *
 * What is decided by a call's arguments stands in seccomp.c.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_CALLS_H
#define RUPTIME_DAEMON_SANDBOX_CALLS_H

struct sandbox_calls {
	const char *reason;
	const char *names;	/* separated by blanks; NULL: the end of the list */
};

/* Refused to all, the command included. */
extern const struct sandbox_calls sandbox_calls_dangerous[];

/* Refused to the command, and to what it starts. */
extern const struct sandbox_calls sandbox_calls_not_for_commands[];

/* Refused to the server. With SANDBOX_STRICT it is refused all that is not needed. */
extern const struct sandbox_calls sandbox_calls_not_served[];

/* Allowed to the server with SANDBOX_STRICT. */
extern const struct sandbox_calls sandbox_calls_needed[];

/* What only a server that asks libproc2 may do. */
extern const struct sandbox_calls sandbox_calls_of_procps[];

/* What only a server with XSI message queues may do. */
extern const struct sandbox_calls sandbox_calls_of_queues[];

#endif
