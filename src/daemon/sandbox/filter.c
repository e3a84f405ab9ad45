/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/filter.h"

#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

bool sandbox_filter_can_notify(void)
{
	struct seccomp_notif_sizes sizes;
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	       sizes.seccomp_notif <= FILTER_NOTICE_BYTES &&
	       sizes.seccomp_notif_resp <= FILTER_NOTICE_BYTES;
}

int sandbox_filter_enter(const struct sock_fprog *program, int *notify_fd)
{
	/* Kernels before 5.16 would slow us down against Spectre 4, as if we ran scripts. */
	unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	long result;

	if (notify_fd) {
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	}
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	if (result >= 0 && notify_fd) {
		*notify_fd = (int)result;
	}
	return result < 0 ? -1 : 0;
}
