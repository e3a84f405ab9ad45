/* SPDX-License-Identifier: MIT */
/*
 * An attacker who has taken over a process of ours, and tries to get out of its sandbox. Each probe
 * has a process of its own.
 */
#ifndef RUPTIME_TESTS_JAIL_H
#define RUPTIME_TESTS_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/sandbox/sandbox.h"

#define JAIL_BIT(role) (1u << (role))
#define JAIL_RUNNER    JAIL_BIT(SANDBOX_RUNNER)
#define JAIL_SERVER    JAIL_BIT(SANDBOX_SERVER)
#define JAIL_BOTH      (JAIL_RUNNER | JAIL_SERVER)
#define JAIL_ALL       (JAIL_BOTH | JAIL_BIT(SANDBOX_KEEPER))

/* The outcome of a probe whose process has become another program, or died. */
#define JAIL_GONE (-1)

struct jail_probe {
	const char *call;		/* as the log names it; NULL: it is not named */
	int (*act)(void);		/* 0, or -1 with errno */
	unsigned roles;			/* that are refused it, */
	enum sandbox_level from;	/* from this level on */
};

struct jail_outcome {
	int error;			/* 0: it was let through; JAIL_GONE */
	char log[512];
};

/*
 * A place where nothing of ours is, in no directory of temporary files, and two names there: one of
 * a file, and one of none. The program "brought" is in the working directory, the scratch one.
 */
extern char jail_file[64];
extern char jail_absent[64];

/* Unchecked fixtures, so that nothing stays behind, whatever becomes of the cases. */
void jail_init(void);
void jail_fini(void);

struct jail_outcome jail_try(const struct jail_probe *probe, enum sandbox_role role,
	enum sandbox_level level);

/* Call EXPECT for each of COUNT PROBES with each role and level that this build can try it at. */
void jail_try_all(const struct jail_probe *probes, size_t count,
	void (*expect)(const struct jail_probe *probe, enum sandbox_role role,
		enum sandbox_level level));

/* The highest level that this build has. */
enum sandbox_level jail_highest(void);

#endif
