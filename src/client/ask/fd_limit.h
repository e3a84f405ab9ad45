/* SPDX-License-Identifier: MIT */
/*
 * How many descriptors there may be. For main, before there are other threads.
 */
#ifndef RUPTIME_CLIENT_ASK_FD_LIMIT_H
#define RUPTIME_CLIENT_ASK_FD_LIMIT_H

/*
 * Raise the limit to what this user may have. Returns how many hosts can be asked at a time that
 * need a descriptor each; at least 1.
 */
unsigned fd_limit_raise(void);

/* Lower it again to what it was, for a program that is to be executed. */
void fd_limit_restore(void);

#endif
