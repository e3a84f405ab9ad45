/* SPDX-License-Identifier: MIT */
#include "common/thread.h"

#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

int thread_start(pthread_t *thread, void *(*main)(void *), void *argument)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error) {
		return error;
	}
	error = pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	if (!error) {
		error = pthread_create(thread, &attributes, main, argument);
	}
	pthread_attr_destroy(&attributes);
	return error;
}

int thread_raise_main_stack(void)
{
	static const char complaint[] =
		"error: the stack may not be as large as it has to be: see ulimit -s\n";
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= THREAD_MAIN_STACK_BYTES) {
		return 0;
	}
	limit.rlim_cur = THREAD_MAIN_STACK_BYTES;
	if (limit.rlim_max < limit.rlim_cur) {
		limit.rlim_max = limit.rlim_cur;
	}
	if (setrlimit(RLIMIT_STACK, &limit) < 0) {
		(void)!write(STDERR_FILENO, complaint, sizeof(complaint) - 1);
		return -1;
	}
	return 0;
}
