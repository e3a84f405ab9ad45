/* SPDX-License-Identifier: MIT */
/*
 * Producers who push nodes to one queue, and takers who, as the workers do, take in turns all
 * there is and use it while the next one takes. What the nodes are is the game's business.
 */
#ifndef RUPTIME_TESTS_FIELD_H
#define RUPTIME_TESTS_FIELD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/queue/queue.h"

#define FIELD_PRODUCERS_MAX 32
#define FIELD_TAKERS_MAX    8

#define FIELD_WORDS 6

struct field_shape {
	unsigned producers;
	unsigned takers;
	unsigned items;		/* of each producer */
};

/* What a producer writes, and its taker must find. */
struct field_load {
	unsigned producer;
	unsigned sequence;
	uint64_t words[FIELD_WORDS];
};

/* One run of one shape: zero-initialized, but for the first five. */
struct field {
	struct field_shape shape;
	bool plant_race;	/* the game does what the thread sanitizer must report */
	/* One producer's whole work. CHANCE is its own sequence of random numbers. */
	void (*produce)(struct field *field, unsigned producer, uint64_t *chance);
	/* Called in the order of the queue: field_is_next() for every load behind NODE. */
	bool (*is_next)(struct field *field, struct queue_node *node);
	/* Called by the thread that took NODE, in no order: returns whether its loads are whole. */
	bool (*use)(struct field *field, struct queue_node *node);
	void *parts[FIELD_PRODUCERS_MAX];	/* what the game has for each producer */

	struct queue *queue;
	pthread_mutex_t leader;
	unsigned next[FIELD_PRODUCERS_MAX];	/* protected by lead, as taking is */
	unsigned taken;
	unsigned empty_handed;
	atomic_uint wrong;
};

void field_fill(struct field_load *load, unsigned producer, unsigned sequence);

/* Is it what field_fill() wrote? Wipes it: a thread that still uses it notices, or is noticed. */
bool field_is_whole(struct field_load *load);

/* Is it the one that its producer's last one was followed by? */
bool field_is_next(struct field *field, const struct field_load *load);

/* Returns whether all that was pushed was taken: once, in order, and whole. */
bool field_play(struct field *field, const char *name);

/* A case for each of the usual shapes, scaled; PLAY returns whether all went well. */
void field_play_shapes(bool (*play)(struct field_shape shape, bool plant_race));

/* Let the others go first, now and then; and rarely for so long that they fall asleep. */
void field_dither(uint64_t *chance);

/* A deadline for queue_take(): at once, soon, or none. */
uint64_t field_deadline(uint64_t *chance);

/*
 * In main, before anything else: if this is the run that field_check_race() starts, PLAY with the
 * race in it, and return true.
 */
bool field_plant_race(int argc, char **argv,
	bool (*play)(struct field_shape shape, bool plant_race));

/*
 * Built with the thread sanitizer, run this program again with a planted race, and report as a
 * case whether the sanitizer saw it. So the annotations in queue.c do not hide what they should
 * not.
 */
void field_check_race(const char *what);

#endif
