/* SPDX-License-Identifier: MIT */
/*
 * Where the lanes of a run wait until all of them are set up, so that they begin together and what
 * their setting up costs is no part of what is measured. Shared by main and the lanes' threads,
 * and thread-safe.
 */
#ifndef RUPTIME_BENCH_GATE_H
#define RUPTIME_BENCH_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned waiting;
	bool open;
};

#define GATE_CLOSED \
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

/* A lane is set up. Blocks until gate_open(), and then sees what its caller did before. */
void gate_pass(struct gate *gate);

/* Blocks until COUNT lanes wait, and then sees what they did before. */
void gate_await(struct gate *gate, unsigned count);

/* Let all of them go on. */
void gate_open(struct gate *gate);

#endif
