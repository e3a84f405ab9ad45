/* SPDX-License-Identifier: MIT */
#include "stress/field.h"

#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "common/clock.h"
#include "stress/stress.h"
#include "unit/random.h"

/* What the thread sanitizer exits with after a report. */
#define RACE_STATUS 66

#define RACE_ARGUMENT "--plant-race"

/* For a scale of 1. */
static const struct field_shape shapes[] = {
	{ 1, 1, 400000 },
	{ 2, 2, 200000 },
	{ 8, 2, 50000 },
	{ 32, 8, 10000 },
};

/* One thread. */
struct hand {
	struct field *field;
	unsigned index;
	uint64_t chance;
	pthread_t thread;
};

void field_dither(uint64_t *chance)
{
	uint64_t throw = random_of(chance);

	if (throw % 1024 == 0) {
		struct timespec pause = { .tv_nsec = (long)(throw >> 32) % 100000 };

		ppoll(NULL, 0, &pause, NULL);
	} else if (throw % 16 == 0) {
		sched_yield();
	}
}

static uint64_t word(unsigned producer, unsigned sequence, unsigned i)
{
	return (uint64_t)producer << 56 ^ sequence * 0x9e3779b97f4a7c15u ^ i;
}

/* Word by word: gcc's thread sanitizer does not look into a memcmp() or memset() made inline. */

void field_fill(struct field_load *load, unsigned producer, unsigned sequence)
{
	load->producer = producer;
	load->sequence = sequence;
	for (unsigned i = 0; i < FIELD_WORDS; i++) {
		load->words[i] = word(producer, sequence, i);
	}
}

bool field_is_whole(struct field_load *load)
{
	bool whole = true;

	for (unsigned i = 0; i < FIELD_WORDS; i++) {
		whole = whole && load->words[i] == word(load->producer, load->sequence, i);
		load->words[i] = 0;
	}
	return whole;
}

bool field_is_next(struct field *field, const struct field_load *load)
{
	return load->producer < field->shape.producers &&
	       load->sequence == field->next[load->producer]++;
}

static void *produce_main(void *argument)
{
	struct hand *hand = argument;

	hand->field->produce(hand->field, hand->index, &hand->chance);
	return NULL;
}

uint64_t field_deadline(uint64_t *chance)
{
	uint64_t throw = random_of(chance);

	switch (throw % 4) {
	case 0:
		return 0;
	case 1:
		return clock_now_ns() + (throw >> 32) % (50 * CLOCK_US);
	default:
		return CLOCK_NEVER;
	}
}

/* As the workers do: one leads, takes everything, and lets the next one lead while it works. */
static bool take_turn(struct field *field, uint64_t *chance)
{
	struct queue_node *taken;
	bool finished;

	pthread_mutex_lock(&field->leader);
	taken = queue_take(field->queue, field_deadline(chance));
	finished = !taken && queue_is_finished(field->queue);
	field->empty_handed += !taken && !finished;
	for (struct queue_node *node = taken; node; node = node->next) {
		field->taken++;
		atomic_fetch_add(&field->wrong, !field->is_next(field, node));
	}
	pthread_mutex_unlock(&field->leader);
	while (taken) {
		struct queue_node *node = taken;

		taken = taken->next;
		atomic_fetch_add(&field->wrong, !field->use(field, node));
	}
	return !finished;
}

static void *take_main(void *argument)
{
	struct hand *hand = argument;

	while (take_turn(hand->field, &hand->chance)) {
		field_dither(&hand->chance);
	}
	return NULL;
}

static void start_hands(struct field *field, struct hand *hands, unsigned count,
	void *(*main)(void *))
{
	for (unsigned i = 0; i < count; i++) {
		hands[i] = (struct hand){ .field = field, .index = i, .chance = random_next() };
		if (pthread_create(&hands[i].thread, NULL, main, &hands[i])) {
			abort();
		}
	}
}

static void join_hands(struct hand *hands, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		pthread_join(hands[i].thread, NULL);
	}
}

bool field_play(struct field *field, const char *name)
{
	struct field_shape shape = field->shape;
	struct hand producers[FIELD_PRODUCERS_MAX];
	struct hand takers[FIELD_TAKERS_MAX];
	bool complete = true;

	pthread_mutex_init(&field->leader, NULL);
	field->queue = queue_new();
	start_hands(field, takers, shape.takers, take_main);
	start_hands(field, producers, shape.producers, produce_main);
	join_hands(producers, shape.producers);
	queue_close(field->queue);
	join_hands(takers, shape.takers);
	for (unsigned i = 0; i < shape.producers; i++) {
		complete = complete && field->next[i] == shape.items;
	}
	complete = complete && queue_is_empty(field->queue) && !field->wrong;
	printf("# %s %ux%u: %u nodes taken, %u times nothing, %u wrong\n", name, shape.producers,
		shape.takers, field->taken, field->empty_handed, field->wrong);
	queue_free(field->queue);
	pthread_mutex_destroy(&field->leader);
	return complete;
}

void field_play_shapes(bool (*play)(struct field_shape shape, bool plant_race))
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct field_shape shape = shapes[i];

		shape.items = stress_amount(shape.items);
		stress_case(play(shape, false), "%u producers, %u takers", shape.producers,
			shape.takers);
	}
}

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER true
#elif defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define HAS_THREAD_SANITIZER false
#endif

static bool is_race_reported(void)
{
	char program[] = "stress";
	char argument[] = RACE_ARGUMENT;
	char quiet[] = "TSAN_OPTIONS=log_path=/dev/null";
	char *argv[] = { program, argument, NULL };
	char *environment[] = { quiet, NULL };
	int status = 0;
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environment)) {
		return false;
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == RACE_STATUS;
}

void field_check_race(const char *what)
{
	if (HAS_THREAD_SANITIZER) {
		stress_case(is_race_reported(), "%s is reported", what);
	} else {
		stress_case(true, "%s is reported # SKIP not built with the thread sanitizer",
			what);
	}
}

bool field_plant_race(int argc, char **argv,
	bool (*play)(struct field_shape shape, bool plant_race))
{
	if (argc < 2 || strcmp(argv[1], RACE_ARGUMENT) != 0) {
		return false;
	}
	play((struct field_shape){ 2, 2, 5000 }, true);
	return true;
}
