/* SPDX-License-Identifier: MIT */
#include "daemon/queue/request.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"

/*
 * Everything but RETURNED belongs to the pool's owner. Requests that were never used stay behind
 * FRESH, so that a pool's memory is touched only as far as it was ever needed.
 */
struct request_pool {
	struct request *requests;
	size_t capacity;
	size_t fresh;
	struct request *unused;
	struct queue *returned;
};

void request_batch_add(struct request_batch *batch, struct request *request)
{
	request->next = NULL;
	if (batch->last) {
		batch->last->next = request;
	} else {
		batch->first = request;
	}
	batch->last = request;
	batch->count++;
}

bool request_batch_push(struct request_batch *batch, struct queue *queue)
{
	struct request *first = batch->first;
	unsigned count = batch->count;

	*batch = (struct request_batch){ NULL, NULL, 0 };
	if (!first) {
		return false;
	}
	first->count = count;
	first->pushed_ns = clock_now_ns();
	return queue_push(queue, &first->node, count);
}

struct request *request_of_node(struct queue_node *node)
{
	return (struct request *)(void *)((char *)node - offsetof(struct request, node));
}

struct request_pool *request_pool_new(size_t capacity)
{
	struct request_pool *pool = calloc(1, sizeof(*pool));

	if (!pool) {
		return NULL;
	}
	pool->requests = calloc(capacity, sizeof(*pool->requests));
	pool->capacity = capacity;
	pool->returned = queue_new();
	if (!pool->requests || !pool->returned) {
		request_pool_free(pool);
		errno = ENOMEM;
		return NULL;
	}
	return pool;
}

void request_pool_free(struct request_pool *pool)
{
	if (pool) {
		queue_free(pool->returned);
		free(pool->requests);
		free(pool);
	}
}

/* Put the batches of LIST back in front of the unused. */
static void reclaim(struct request_pool *pool, struct queue_node *list)
{
	while (list) {
		struct request *first = request_of_node(list);
		struct request *last = first;

		list = list->next;
		while (last->next) {
			last = last->next;
		}
		last->next = pool->unused;
		pool->unused = first;
	}
}

struct request *request_pool_take(struct request_pool *pool)
{
	struct request *request;

	if (!pool->unused && !queue_is_empty(pool->returned)) {
		reclaim(pool, queue_take(pool->returned, 0));
	}
	if (pool->unused) {
		request = pool->unused;
		pool->unused = request->next;
		return request;
	}
	if (pool->fresh < pool->capacity) {
		request = &pool->requests[pool->fresh++];
		request->pool = pool;
		return request;
	}
	return NULL;
}

void request_pool_untake(struct request_pool *pool, struct request *request)
{
	request->next = pool->unused;
	pool->unused = request;
}

void request_pool_wait(struct request_pool *pool, uint64_t deadline_ns)
{
	reclaim(pool, queue_take(pool->returned, deadline_ns));
}

void request_give_back(struct request *batch)
{
	queue_push(batch->pool->returned, &batch->node, 0);
}
