/* SPDX-License-Identifier: MIT */
/*
 * A kernel that is too old for some system calls.
 */
#ifndef RUPTIME_TESTS_OLD_KERNEL_H
#define RUPTIME_TESTS_OLD_KERNEL_H

/*
 * From now on those system calls of this process, and of what it forks, whose numbers are
 * FIRST_MISSING and above fail with ENOSYS. Since 403 a call has the same number on every
 * architecture but Alpha, in the order in which the kernel got them.
 */
void old_kernel(unsigned first_missing);

#endif
