/* SPDX-License-Identifier: MIT */
/*
 * Requests on their round: from the pool to the queue in batches, to a worker, and back to the
 * pool, whose owner often finds it empty and sleeps. None is lost, doubled or seen half written.
 */
#include <string.h>

#include "common/clock.h"
#include "daemon/queue/request.h"
#include "stress/field.h"
#include "stress/stress.h"
#include "unit/random.h"

/* Few, so that the owner has to wait for them. */
#define POOL_CAPACITY 24

/* A load travels where a datagram would. */
_Static_assert(sizeof(struct field_load) <= sizeof(struct request_datagram), "it fits");

static struct field_load *load_of(struct request *request)
{
	return (struct field_load *)(void *)&request->datagram;
}

static struct request *take(struct request_pool *pool)
{
	struct request *request = request_pool_take(pool);

	while (!request) {
		request_pool_wait(pool, CLOCK_NEVER);
		request = request_pool_take(pool);
	}
	return request;
}

static void produce(struct field *field, unsigned producer, uint64_t *chance)
{
	struct request_pool *pool = field->parts[producer];
	struct request_batch batch = { NULL, NULL, 0 };

	for (unsigned i = 0; i < field->shape.items; i++) {
		struct request *request = take(pool);

		if (random_of(chance) % 8 == 0) {
			request_pool_untake(pool, request);
			request = take(pool);
		}
		field_fill(load_of(request), producer, i);
		request_batch_add(&batch, request);
		/* A sleep with all of the pool in hand would be for ever. */
		if (batch.count == POOL_CAPACITY / 2 || random_of(chance) % 3 == 0) {
			request_batch_push(&batch, field->queue);
			field_dither(chance);
		}
	}
	request_batch_push(&batch, field->queue);
}

static bool is_next(struct field *field, struct queue_node *node)
{
	bool next = true;

	for (struct request *request = request_of_node(node); request; request = request->next) {
		next = field_is_next(field, load_of(request)) && next;
	}
	return next;
}

static bool use(struct field *field, struct queue_node *node)
{
	struct request *batch = request_of_node(node);
	bool whole = true;

	for (struct request *request = batch; request; request = request->next) {
		whole = field_is_whole(load_of(request)) && whole;
	}
	request_give_back(batch);
	if (field->plant_race) {
		load_of(batch)->words[0]++;
	}
	return whole;
}

/* Every request must be back, once: as many as there are, and then none. */
static bool is_full(struct request_pool *pool)
{
	struct request *taken[POOL_CAPACITY + 1];
	unsigned count = 0;

	while (count <= POOL_CAPACITY && (taken[count] = request_pool_take(pool))) {
		for (unsigned i = 0; i < count; i++) {
			if (taken[i] == taken[count]) {
				return false;
			}
		}
		count++;
	}
	return count == POOL_CAPACITY;
}

static bool play_requests(struct field_shape shape, bool plant_race)
{
	struct field field = { .shape = shape, .plant_race = plant_race, .produce = produce,
		.is_next = is_next, .use = use };
	bool ok;

	for (unsigned i = 0; i < shape.producers; i++) {
		field.parts[i] = request_pool_new(POOL_CAPACITY);
	}
	ok = field_play(&field, "requests");
	for (unsigned i = 0; i < shape.producers; i++) {
		ok = is_full(field.parts[i]) && ok;
		request_pool_free(field.parts[i]);
	}
	return ok;
}

int main(int argc, char **argv)
{
	if (field_plant_race(argc, argv, play_requests)) {
		return 0;
	}
	stress_begin(argc, argv, 60);
	field_play_shapes(play_requests);
	field_check_race("a worker that writes to what it gave back");
	return stress_end();
}
