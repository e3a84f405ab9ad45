/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <pthread.h>

#include "common/clock.h"
#include "daemon/queue/request.h"

#define CAPACITY 10

static struct request_pool *pool;
static struct queue *queue;

static void set_up(void)
{
	pool = request_pool_new(CAPACITY);
	queue = queue_new();
	ck_assert(pool && queue);
}

static void tear_down(void)
{
	request_pool_free(pool);
	queue_free(queue);
}

static struct request *push_batch(unsigned count)
{
	struct request_batch batch = { NULL, NULL, 0 };
	struct request *first;

	for (unsigned i = 0; i < count; i++) {
		request_batch_add(&batch, request_pool_take(pool));
		ck_assert_uint_eq(batch.count, i + 1);
	}
	first = batch.first;
	request_batch_push(&batch, queue);
	ck_assert_ptr_null(batch.first);
	ck_assert_ptr_null(batch.last);
	ck_assert_uint_eq(batch.count, 0);
	return first;
}

/* All there are, each once, each of this pool. */
static void assert_whole(void)
{
	struct request *taken[CAPACITY];

	for (unsigned i = 0; i < CAPACITY; i++) {
		taken[i] = request_pool_take(pool);
		ck_assert_ptr_nonnull(taken[i]);
		ck_assert_ptr_eq(taken[i]->pool, pool);
		for (unsigned j = 0; j < i; j++) {
			ck_assert_ptr_ne(taken[i], taken[j]);
		}
	}
	ck_assert_ptr_null(request_pool_take(pool));
	for (unsigned i = 0; i < CAPACITY; i++) {
		request_pool_untake(pool, taken[i]);
	}
}

START_TEST(test_capacity)
{
	assert_whole();
	assert_whole();
	request_pool_free(NULL);
}
END_TEST

START_TEST(test_batch)
{
	struct request *first = push_batch(3);
	struct queue_node *node = queue_take(queue, 0);

	ck_assert_ptr_eq(request_of_node(node), first);
	ck_assert_ptr_nonnull(first->next);
	ck_assert_ptr_nonnull(first->next->next);
	ck_assert_ptr_null(first->next->next->next);
	request_give_back(first);
	assert_whole();
}
END_TEST

START_TEST(test_empty_batch)
{
	ck_assert_ptr_null(push_batch(0));
	ck_assert(queue_is_empty(queue));
}
END_TEST

/* In batches of any size and in any order. */
START_TEST(test_give_back)
{
	for (unsigned size = 1; size <= CAPACITY; size++) {
		struct queue_node *node;

		for (unsigned out = 0; out + size <= CAPACITY; out += size) {
			push_batch(size);
		}
		node = queue_take(queue, 0);
		while (node) {
			struct request *batch = request_of_node(node);

			node = node->next;
			request_give_back(batch);
		}
		assert_whole();
	}
}
END_TEST

START_TEST(test_wait_until)
{
	struct request *batch = push_batch(CAPACITY);
	uint64_t deadline_ns = clock_now_ns() + 10 * CLOCK_MS;

	ck_assert_ptr_null(request_pool_take(pool));
	request_pool_wait(pool, deadline_ns);
	ck_assert_uint_ge(clock_now_ns(), deadline_ns);
	ck_assert_ptr_null(request_pool_take(pool));
	queue_take(queue, 0);
	request_give_back(batch);
	request_pool_wait(pool, CLOCK_NEVER);
	assert_whole();
}
END_TEST

static void *give_back(void *argument)
{
	request_give_back(argument);
	return NULL;
}

START_TEST(test_wait_for_another_thread)
{
	pthread_t thread;

	for (int i = 0; i < 200; i++) {
		struct request *batch = push_batch(CAPACITY);

		queue_take(queue, 0);
		pthread_create(&thread, NULL, give_back, batch);
		request_pool_wait(pool, CLOCK_NEVER);
		assert_whole();
		pthread_join(thread, NULL);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_capacity);
	tcase_add_test(tcase, test_batch);
	tcase_add_test(tcase, test_empty_batch);
	tcase_add_test(tcase, test_give_back);
	tcase_add_test(tcase, test_wait_until);
	tcase_add_test(tcase, test_wait_for_another_thread);
	suite_add_tcase(suite, tcase);
	return suite;
}
