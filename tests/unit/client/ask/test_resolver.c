/* SPDX-License-Identifier: MIT */
/*
 * The resolver, with a resolve_sockets() that takes as long as the test likes.
 */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask/resolver.h"
#include "common/resolve.h"

#define PATIENCE_MS 10000
#define NAMES	    100

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint looking_up;
static atomic_uint most_at_a_time;

int __wrap_resolve_sockets(const struct address *address, int family, struct addrinfo **list,
	const char **why);

/* Names that begin with "bad" are not found; all wait at the gate. */
int __wrap_resolve_sockets(const struct address *address, int family, struct addrinfo **list,
	const char **why)
{
	const struct address local = { .scheme = ADDRESS_UNIX, .path = "/x" };
	unsigned now = atomic_fetch_add(&looking_up, 1) + 1;
	unsigned most = atomic_load(&most_at_a_time);

	while (now > most && !atomic_compare_exchange_weak(&most_at_a_time, &most, now)) {
	}
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	atomic_fetch_sub(&looking_up, 1);
	if (strncmp(address->host, "bad", 3) == 0) {
		*why = "no such name";
		errno = ENOENT;
		return -1;
	}
	return resolve_at_once(&local, family, list);
}

static void ask_name(struct resolver *resolver, const char *name, uint64_t owner)
{
	struct address address = { .scheme = ADDRESS_TCP };

	snprintf(address.host, sizeof(address.host), "%s", name);
	ck_assert_int_eq(resolver_ask(resolver, &address, owner), 0);
}

static void take_one(struct resolver *resolver, struct resolver_result *result)
{
	struct pollfd fd = { .fd = resolver_fd(resolver), .events = POLLIN };

	ck_assert_int_eq(poll(&fd, 1, PATIENCE_MS), 1);
	ck_assert(resolver_take(resolver, result));
}

START_TEST(test_result)
{
	struct resolver *resolver = resolver_start(AF_UNSPEC, 1);
	struct resolver_result result;

	ck_assert_ptr_nonnull(resolver);
	ck_assert(!resolver_take(resolver, &result));
	ask_name(resolver, "good", 7);
	take_one(resolver, &result);
	ck_assert_uint_eq(result.owner, 7);
	ck_assert_ptr_nonnull(result.addresses);
	resolve_free(result.addresses);
	ask_name(resolver, "bad", 0);
	take_one(resolver, &result);
	ck_assert_ptr_null(result.addresses);
	ck_assert_str_eq(result.why, "no such name");
	ck_assert_int_eq(result.error, ENOENT);
	ck_assert(!resolver_take(resolver, &result));
	resolver_stop(resolver);
}
END_TEST

/* Each question has one result, and no more threads than allowed are at it. */
START_TEST(test_many)
{
	struct resolver *resolver = resolver_start(AF_UNSPEC, 4);
	unsigned char seen[NAMES] = { 0 };

	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < NAMES; i++) {
		ask_name(resolver, i % 2 ? "good" : "bad", i);
	}
	pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < NAMES; i++) {
		struct resolver_result result;

		take_one(resolver, &result);
		ck_assert_uint_eq(++seen[result.owner], 1);
		ck_assert((result.addresses != NULL) == (result.owner % 2 == 1));
		resolve_free(result.addresses);
	}
	ck_assert_uint_le(atomic_load(&most_at_a_time), 4);
	resolver_stop(resolver);
}
END_TEST

/* All the threads there may be are at work at the same time. */
START_TEST(test_threads)
{
	struct resolver *resolver = resolver_start(AF_UNSPEC, 4);

	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < 8; i++) {
		ask_name(resolver, "good", 0);
	}
	while (atomic_load(&looking_up) < 4) {
		poll(NULL, 0, 1);
	}
	pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < 8; i++) {
		struct resolver_result result;

		take_one(resolver, &result);
		resolve_free(result.addresses);
	}
	resolver_stop(resolver);
}
END_TEST

/* A look-up that hangs holds up nothing but its thread, which ends when it can. */
START_TEST(test_stop_does_not_wait)
{
	struct resolver *resolver = resolver_start(AF_UNSPEC, 2);

	pthread_mutex_lock(&gate);
	ask_name(resolver, "good", 0);
	ask_name(resolver, "bad", 0);
	ask_name(resolver, "good", 0);
	while (atomic_load(&looking_up) < 2) {
		poll(NULL, 0, 1);
	}
	resolver_stop(resolver);
	pthread_mutex_unlock(&gate);
	while (atomic_load(&looking_up) > 0) {
		poll(NULL, 0, 1);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tcase = tcase_create("threads");

	tcase_add_test(tcase, test_result);
	tcase_add_test(tcase, test_many);
	tcase_add_test(tcase, test_threads);
	tcase_add_test(tcase, test_stop_does_not_wait);
	suite_add_tcase(suite, tcase);
	return suite;
}
