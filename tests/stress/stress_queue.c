/* SPDX-License-Identifier: MIT */
/*
 * The queue, from many threads at once: every node exactly once, in its producer's order, with
 * what its producer wrote. No wake-up is lost, nor a node that comes with the end.
 */
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "stress/field.h"
#include "stress/stress.h"
#include "unit/random.h"

struct item {
	struct queue_node node;
	struct field_load load;
};

static struct item *item_of(struct queue_node *node)
{
	return (struct item *)(void *)node;
}

static void produce(struct field *field, unsigned producer, uint64_t *chance)
{
	struct item *items = field->parts[producer];

	for (unsigned i = 0; i < field->shape.items; i++) {
		field_fill(&items[i].load, producer, i);
		queue_push(field->queue, &items[i].node, 1);
		if (field->plant_race) {
			items[i].load.words[0]++;
		}
		field_dither(chance);
	}
}

static bool is_next(struct field *field, struct queue_node *node)
{
	return field_is_next(field, &item_of(node)->load);
}

static bool use(struct field *field, struct queue_node *node)
{
	(void)field;
	node->next = NULL;
	return field_is_whole(&item_of(node)->load);
}

static bool play_queue(struct field_shape shape, bool plant_race)
{
	struct field field = { .shape = shape, .plant_race = plant_race, .produce = produce,
		.is_next = is_next, .use = use };
	bool ok;

	for (unsigned i = 0; i < shape.producers; i++) {
		field.parts[i] = calloc(shape.items, sizeof(struct item));
	}
	ok = field_play(&field, "queue");
	for (unsigned i = 0; i < shape.producers; i++) {
		free(field.parts[i]);
	}
	return ok;
}

/* One node between two threads: every hop is a sleep and a wake-up, and one lost is for ever. */

struct court {
	struct queue *sides[2];
	unsigned hops;
};

struct player {
	struct court *court;
	unsigned side;
};

static void *play_ball(void *argument)
{
	struct player *player = argument;
	struct court *court = player->court;

	for (unsigned i = 0; i < court->hops; i++) {
		struct queue_node *node = queue_take(court->sides[player->side], CLOCK_NEVER);

		queue_push(court->sides[!player->side], node, 1);
	}
	return NULL;
}

static bool play_ping_pong(unsigned hops)
{
	struct court court = { .sides = { queue_new(), queue_new() }, .hops = hops };
	struct player players[2] = { { &court, 0 }, { &court, 1 } };
	struct queue_node ball;
	pthread_t threads[2];
	bool ok;

	queue_push(court.sides[0], &ball, 1);
	for (unsigned i = 0; i < 2; i++) {
		pthread_create(&threads[i], NULL, play_ball, &players[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
	}
	ok = queue_take(court.sides[0], 0) == &ball && queue_is_empty(court.sides[1]);
	queue_free(court.sides[0]);
	queue_free(court.sides[1]);
	return ok;
}

/* A taker about to sleep, asleep or about to wake when the last item and the end come. */

struct end_game {
	struct queue *queue;
	uint64_t chance;
	unsigned taken;
};

static void *take_to_the_end(void *argument)
{
	struct end_game *game = argument;

	field_dither(&game->chance);
	while (!queue_is_finished(game->queue)) {
		struct queue_node *node = queue_take(game->queue, field_deadline(&game->chance));

		for (; node; node = node->next) {
			game->taken++;
		}
	}
	return NULL;
}

static bool play_end_games(unsigned rounds)
{
	bool ok = true;

	for (unsigned i = 0; i < rounds; i++) {
		struct end_game game = { .queue = queue_new(), .chance = random_next() };
		unsigned pushes = random_below(3);
		struct queue_node nodes[2];
		uint64_t chance = random_next();
		pthread_t taker;

		pthread_create(&taker, NULL, take_to_the_end, &game);
		field_dither(&chance);
		for (unsigned j = 0; j < pushes; j++) {
			queue_push(game.queue, &nodes[j], 1);
			field_dither(&chance);
		}
		queue_close(game.queue);
		pthread_join(taker, NULL);
		ok = ok && game.taken == pushes;
		queue_free(game.queue);
	}
	return ok;
}

int main(int argc, char **argv)
{
	if (field_plant_race(argc, argv, play_queue)) {
		return 0;
	}
	stress_begin(argc, argv, 60);
	field_play_shapes(play_queue);
	stress_case(play_ping_pong(stress_amount(50000)), "ping-pong");
	stress_case(play_end_games(stress_amount(3000)), "close while the taker sleeps");
	field_check_race("a producer that writes to what it pushed");
	return stress_end();
}
