/* SPDX-License-Identifier: MIT */
/*
 * Rules of a filter in the making: what libseccomp has, as far as our lists need it. Rules are
 * added until one fails; then ERROR is set, and all that follow do nothing.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_RULES_H
#define RUPTIME_DAEMON_SANDBOX_RULES_H

#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/sandbox/calls.h"

#define RULES_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RULES_FCNTL "fcntl fcntl64"

/*
 * fcntl()'s locks: F_SETLK, F_SETLKW, those of 64 bits on machines of 32, and those of open files.
 * By number, since the C library may give one of them two names.
 */
#define RULES_LOCKS                                                                                \
	{                                                                                          \
		6, 7, 13, 14, 37, 38                                                               \
	}

/* s390 and its like have the first two arguments of clone() the other way round. */
#if defined(__s390__)
#define RULES_CLONE_FLAGS 1
#else
#define RULES_CLONE_FLAGS 0
#endif

#define RULES_NAMESPACES                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET)

struct rules {
	scmp_filter_ctx filter;
	uint32_t refuse; /* the action on what is refused */
	int error;       /* an errno value; 0: none */
	/* What the server that is asked for cannot do without. */
	bool has_queues; /* of System V */
	bool has_procps; /* reads the file of users, and locks it meanwhile */
};

/*
 * ACTION on calls to NAMES, which are separated by blanks, whose COUNT ARGUMENTS are like that; 0:
 * whatever they are. Names of other architectures' calls are left out, and so are rules about
 * arguments that this architecture hides, see sandbox_seccomp_overlooks().
 */
void rules_add(struct rules *rules, uint32_t action, const char *names, unsigned count,
	const struct scmp_arg_cmp *arguments);

/* ACTION on each of CALLS. */
void rules_add_calls(struct rules *rules, uint32_t action, const struct sandbox_calls *calls);

/* ACTION on calls to NAMES whose argument INDEX, as far as MASK, is VALUE. */
void rules_add_masked(struct rules *rules, uint32_t action, const char *names, unsigned index,
	uint64_t mask, uint64_t value);

/* The same for an int: the kernel looks at 32 bits of it, whatever the other 32 are. */
void rules_add_int(
	struct rules *rules, uint32_t action, const char *names, unsigned index, uint32_t value);

/* ACTION where argument INDEX, an int, is VALUE, and the next one, as far as MASK, is NEXT. */
void rules_add_two(struct rules *rules, uint32_t action, const char *names, unsigned index,
	uint32_t value, uint64_t mask, uint64_t next);

/* Refuse calls to NAMES with an argument INDEX other than VALUE, all 64 bits of it. */
void rules_refuse_other(struct rules *rules, const char *names, unsigned index, uint64_t value);

#endif
