/* SPDX-License-Identifier: MIT */
/*
 * A signal that does nothing but interrupt a blocking call of one thread, which then fails with
 * EINTR. It may come before the call blocks, and is lost then: so it is sent again and again until
 * the thread has noticed. All threads have it blocked unless they allow it.
 */
#ifndef RUPTIME_COMMON_INTERRUPT_H
#define RUPTIME_COMMON_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

#define INTERRUPT_SIGNAL SIGALRM

/*
 * Give the signal a handler that does nothing, without SA_RESTART. For the whole process; may be
 * called again. Returns 0, or -1 with errno.
 */
int interrupt_prepare(void);

/* Unblock the signal in the calling thread, or block it. */
void interrupt_allow(bool allow);

#endif
