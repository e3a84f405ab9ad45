/* SPDX-License-Identifier: MIT */
/* One thread at a time; stress/stress_queue.c has the others. */
#include "unit/unit.h"

#include <pthread.h>

#include "common/clock.h"
#include "daemon/queue/queue.h"
#include "unit/process.h"

#define NODES 1000

static struct queue *queue;
static struct queue_node nodes[NODES];

static void set_up(void)
{
	queue = queue_new();
	ck_assert_ptr_nonnull(queue);
}

static void tear_down(void)
{
	queue_free(queue);
}

START_TEST(test_order)
{
	struct queue_node *node;

	for (int round = 0; round < 3; round++) {
		ck_assert(queue_is_empty(queue));
		for (int i = 0; i < NODES; i++) {
			queue_push(queue, &nodes[i], 1);
			ck_assert(!queue_is_empty(queue));
		}
		node = queue_take(queue, CLOCK_NEVER);
		for (int i = 0; i < NODES; i++) {
			ck_assert_ptr_eq(node, &nodes[i]);
			node = node->next;
		}
		ck_assert_ptr_null(node);
	}
}
END_TEST

/* As soon as its successor is read a node may go elsewhere, this queue too. */
START_TEST(test_push_while_walking)
{
	struct queue_node *node;

	for (int i = 0; i < 3; i++) {
		queue_push(queue, &nodes[i], 1);
	}
	node = queue_take(queue, 0);
	while (node) {
		struct queue_node *next = node->next;

		queue_push(queue, node, 1);
		node = next;
	}
	node = queue_take(queue, 0);
	ck_assert_ptr_eq(node, &nodes[0]);
	ck_assert_ptr_eq(node->next, &nodes[1]);
	ck_assert_ptr_eq(node->next->next, &nodes[2]);
}
END_TEST

START_TEST(test_deadline)
{
	uint64_t began_ns = clock_now_ns();

	ck_assert_ptr_null(queue_take(queue, 0));
	ck_assert_ptr_null(queue_take(queue, began_ns));
	ck_assert_ptr_null(queue_take(queue, began_ns + 20 * CLOCK_MS));
	ck_assert_uint_ge(clock_now_ns() - began_ns, 20 * CLOCK_MS);
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(2 * CLOCK_S));
	/* A deadline that has passed does not hide what is there. */
	queue_push(queue, &nodes[0], 1);
	ck_assert_ptr_eq(queue_take(queue, 1), &nodes[0]);
	ck_assert(!queue_is_finished(queue));
}
END_TEST

START_TEST(test_close)
{
	queue_push(queue, &nodes[0], 1);
	queue_close(queue);
	ck_assert(!queue_is_finished(queue));
	ck_assert_ptr_eq(queue_take(queue, CLOCK_NEVER), &nodes[0]);
	ck_assert(queue_is_finished(queue));
	ck_assert_ptr_null(queue_take(queue, CLOCK_NEVER));
	ck_assert_ptr_null(queue_take(queue, 0));
	queue_close(queue);
	ck_assert(queue_is_finished(queue));
	queue_free(NULL);
}
END_TEST

static void *push_one(void *argument)
{
	queue_push(queue, argument, 1);
	return NULL;
}

static uint64_t cpu_time_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * CLOCK_S + (uint64_t)used.tv_nsec;
}

/* Until the deadline the taker sleeps. */
START_TEST(test_sleeps)
{
	uint64_t before_ns = cpu_time_ns();

	ck_assert_ptr_null(queue_take(queue, clock_now_ns() + 300 * CLOCK_MS));
	queue_gather(queue, 1, clock_now_ns() + 300 * CLOCK_MS);
	ck_assert_uint_lt(cpu_time_ns() - before_ns, 100 * CLOCK_MS);
}
END_TEST

/* With a sleeper that has a deadline far ahead, and one that has none. */
START_TEST(test_wakes)
{
	pthread_t thread;

	for (int i = 0; i < NODES; i++) {
		uint64_t deadline_ns = i % 2 ? CLOCK_NEVER : clock_now_ns() + 100 * CLOCK_S;

		pthread_create(&thread, NULL, push_one, &nodes[i]);
		ck_assert_ptr_eq(queue_take(queue, deadline_ns), &nodes[i]);
		pthread_join(thread, NULL);
	}
}
END_TEST

static void *push_all(void *argument)
{
	(void)argument;
	for (int i = 0; i < NODES; i++) {
		queue_push(queue, &nodes[i], 2);
	}
	return NULL;
}

/* A worker that gathers sleeps through all pushes but the one that makes it enough. */
START_TEST(test_gather)
{
	pthread_t thread;
	uint64_t enough = 0;

	for (int i = 0; i < 100; i++) {
		enough += 2 * NODES;
		pthread_create(&thread, NULL, push_all, NULL);
		queue_gather(queue, enough, clock_now_ns() + 100 * CLOCK_S);
		ck_assert_uint_eq(queue_weight(queue), enough);
		/* The weight is there before the node is. */
		pthread_join(thread, NULL);
		ck_assert_ptr_eq(queue_take(queue, 0), &nodes[0]);
	}
}
END_TEST

static void *gather_forever(void *argument)
{
	queue_gather(queue, 2, clock_now_ns() + 100 * CLOCK_S);
	return argument;
}

START_TEST(test_gather_ends)
{
	uint64_t began_ns = clock_now_ns();
	pthread_t thread;

	queue_gather(queue, 2, began_ns + 20 * CLOCK_MS);
	ck_assert_uint_ge(clock_now_ns() - began_ns, 20 * CLOCK_MS);
	queue_gather(queue, 0, began_ns + 100 * CLOCK_S);
	/* One is not enough, and wakes no worker; the end does. */
	pthread_create(&thread, NULL, gather_forever, NULL);
	ck_assert(!queue_push(queue, &nodes[0], 1));
	queue_close(queue);
	pthread_join(thread, NULL);
	ck_assert_uint_lt(clock_now_ns() - began_ns, 50 * CLOCK_S);
	ck_assert_ptr_eq(queue_take(queue, 0), &nodes[0]);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("queue");
	TCase *tcase = tcase_create("queue");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_order);
	tcase_add_test(tcase, test_push_while_walking);
	tcase_add_test(tcase, test_deadline);
	tcase_add_test(tcase, test_sleeps);
	tcase_add_test(tcase, test_close);
	tcase_add_test(tcase, test_wakes);
	tcase_add_test(tcase, test_gather);
	tcase_add_test(tcase, test_gather_ends);
	suite_add_tcase(suite, tcase);
	return suite;
}
