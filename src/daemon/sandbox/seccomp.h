/* SPDX-License-Identifier: MIT */
/* Filters of system calls: how they are made. They are installed by filter.h. */
#ifndef RUPTIME_DAEMON_SANDBOX_SECCOMP_H
#define RUPTIME_DAEMON_SANDBOX_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/sandbox/roles.h"
#include "daemon/settings.h"

/* Why there is no filtering of system calls in this program or on this machine; NULL: there is. */
const char *sandbox_seccomp_lacks(void);

/* What filters cannot look at on this architecture; NULL: nothing. */
const char *sandbox_seccomp_overlooks(void);

/* Why this program cannot have the filter of SANDBOX_STRICT; NULL: it can. */
const char *sandbox_seccomp_lacks_strict(void);

/*
 * Make the filter of ROLE for what SETTINGS ask for, in the process that is to be the server: it
 * may signal itself, and is what its command must not signal. NOTIFY: refused calls wait for the
 * thread that watches; otherwise they fail with EPERM. Returns 0, or -1 with errno;
 * PROGRAM->filter is to be freed in either case.
 */
int sandbox_seccomp_build(enum sandbox_role role, const struct settings *settings, bool notify,
	struct sock_fprog *program);

/* Write the name of system call NUMBER of AUDIT_ARCH, or its number, to NAME of SIZE bytes. */
void sandbox_seccomp_name(uint32_t audit_arch, int number, char *name, size_t size);

#endif
