/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/seccomp.h"

#include <stdio.h>

const char *sandbox_seccomp_lacks_strict(void)
{
	return "this program is built without libseccomp";
}

const char *sandbox_seccomp_lacks(void)
{
	return "no seccomp: this program is built without libseccomp";
}

const char *sandbox_seccomp_overlooks(void)
{
	return NULL;
}

int sandbox_seccomp_build(enum sandbox_role role, const struct settings *settings, bool notify,
	struct sock_fprog *program)
{
	(void)role;
	(void)settings;
	(void)notify;
	*program = (struct sock_fprog){ .len = 0 };
	return 0;
}

void sandbox_seccomp_name(uint32_t audit_arch, int number, char *name, size_t size)
{
	(void)audit_arch;
	snprintf(name, size, "%d", number);
}
