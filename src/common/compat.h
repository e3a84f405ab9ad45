/* SPDX-License-Identifier: MIT */
/*
 * What an older C library, another one than glibc, or older headers of the kernel lack. configure
 * decides; what is defined here behaves as in section 2 of the manual. Whether the running kernel
 * has a call is another question: one that it lacks fails with ENOSYS, and the callers say what
 * they do then.
 */
#ifndef RUPTIME_COMMON_COMPAT_H
#define RUPTIME_COMMON_COMPAT_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same on all architectures but Alpha, see scripts/syscall.tbl of the kernel. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

/* Its official name is younger than it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

#ifndef HAVE_CLOSE_RANGE
static inline int close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
#endif

#ifndef HAVE_PWRITEV2
static inline ssize_t pwritev2(
	int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	return syscall(SYS_pwritev2, fd, parts, count, (long)offset, (long)((uint64_t)offset >> 32),
		flags);
}
#endif

#ifndef HAVE_EPOLL_PWAIT2
/* Here the C library is older than the call, and the kernel is most likely, too. */
static inline int epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
	const struct timespec *timeout, const sigset_t *mask)
{
	(void)epoll_fd;
	(void)events;
	(void)max;
	(void)timeout;
	(void)mask;
	errno = ENOSYS;
	return -1;
}
#endif

#endif
