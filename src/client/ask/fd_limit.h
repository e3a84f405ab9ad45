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

#endif
