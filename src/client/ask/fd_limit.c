/* SPDX-License-Identifier: MIT */
#include "client/ask/fd_limit.h"

#include <stdint.h>
#include <sys/resource.h>

/* Descriptors that are for no host: the standard ones, the loop's, those of the C library. */
#define RESERVED_FDS 64

unsigned fd_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return UINT32_MAX;
	}
	if (limit.rlim_cur < limit.rlim_max) {
		const rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
			limit.rlim_cur = before;
		}
	}
	if (limit.rlim_cur <= 2 * RESERVED_FDS) {
		return limit.rlim_cur / 2 ? (unsigned)limit.rlim_cur / 2 : 1;
	}
	return limit.rlim_cur - RESERVED_FDS < UINT32_MAX ? (unsigned)limit.rlim_cur - RESERVED_FDS
							   : UINT32_MAX;
}
