/* SPDX-License-Identifier: MIT */
/*
 * ioctl() is thousands of calls in one: of terminals, sockets, devices and file systems, which go
 * past Landlock. So each but those that the server makes is refused, whatever the level. libseccomp
 * can say that only where all calls that are not on a list are refused.
 */
#ifndef RUPTIME_DAEMON_SANDBOX_GUARD_H
#define RUPTIME_DAEMON_SANDBOX_GUARD_H

#include <linux/filter.h>
#include <stdint.h>

#define GUARD_INSTRUCTIONS 16

/*
 * Put instructions in front of PROGRAM, whose FILTER has room for GUARD_INSTRUCTIONS more: other
 * requests of ioctl(), NUMBER of AUDIT_ARCH, meet the action REFUSE, and all else meets PROGRAM.
 */
void sandbox_guard(struct sock_fprog *program, uint32_t audit_arch, uint32_t number,
	uint32_t refuse);

#endif
