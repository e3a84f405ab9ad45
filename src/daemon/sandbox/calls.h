/* SPDX-License-Identifier: MIT */
/*
 * System calls by name, for the filters: each list ends in NULL. A name that the machine does not
 * have is passed over.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_CALLS_H
#define RUPTIME_DAEMON_SANDBOX_CALLS_H

/* Refused to everybody, the command included. */
extern const char *const sandbox_calls_dangerous[];

/* Refused to the server besides, at SANDBOX_BASIC. */
extern const char *const sandbox_calls_not_served[];

/* All that the server may do at SANDBOX_STRICT, but for what depends on arguments. */
extern const char *const sandbox_calls_needed[];

#endif
