/* SPDX-License-Identifier: MIT */
/*
 * Threads with a stack of their own size. The C library takes it from the limit that the process
 * was started with (ulimit -s) otherwise: with 16 KiB a thread crashes, with 64 GiB none starts.
 */
#ifndef RUPTIME_COMMON_THREAD_H
#define RUPTIME_COMMON_THREAD_H

#include <pthread.h>

/* Of each thread. It is address space; a page is used once it is touched. */
#define THREAD_STACK_BYTES (1ul << 20)

/* As pthread_create(): returns 0, or what went wrong. Thread-safe. */
int thread_start(pthread_t *thread, void *(*main)(void *), void *argument);

/* What main needs, whose stack grows up to the limit, and a process that it forks. */
#define THREAD_MAIN_STACK_BYTES (64ul << 10)

/*
 * Raise the limit of the stack to THREAD_MAIN_STACK_BYTES if it is lower; for a main. Returns 0, or
 * -1 if this process may not; then standard error has been told, with what stack there is.
 */
int thread_raise_main_stack(void);

#endif
