/* SPDX-License-Identifier: MIT */
/*
 * Whose connections count for whom, and when a place is free.
 */
#include "unit/unit.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/policy/connections.h"
#include "unit/sockets.h"

#define MAX	   100
#define PER_SOURCE 4
#define NOBODY	   65534

static struct connections *connections;

static void set_up(void)
{
	connections = connections_new(MAX, PER_SOURCE, NULL);
	ck_assert_ptr_nonnull(connections);
}

static void tear_down(void)
{
	connections_free(connections);
}

static void leave(unsigned source)
{
	int none_fd = -1;

	connections_close(connections, &none_fd, source);
}

/* Enter one from afar that stays. Returns whether it may. */
static bool enter(unsigned *source)
{
	const union connections_peer peer = { .in = {
		.sin_family = AF_INET, .sin_addr = { htonl(0xc0000201) } } };
	bool may = connections_enter(connections, -1, 1, &peer, source) == CONNECTIONS_WELCOME;

	if (!may) {
		leave(*source);
	}
	return may;
}

/* A client that passes a descriptor takes two places until that one is closed. */
START_TEST(test_two_descriptors)
{
	const union connections_peer peer = { .in = {
		.sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } } };
	unsigned source;

	for (unsigned i = 0; i < MAX / 2; i++) {
		ck_assert_int_eq(connections_enter(connections, -1, 2, &peer, &source),
			CONNECTIONS_WELCOME);
	}
	ck_assert_int_eq(connections_enter(connections, -1, 1, &peer, &source),
		CONNECTIONS_TOO_MANY);
	leave(source);
	connections_release(connections);
	ck_assert_int_eq(connections_enter(connections, -1, 1, &peer, &source),
		CONNECTIONS_WELCOME);
	ck_assert_uint_eq(connections_open(connections), MAX);
}
END_TEST

struct kept {
	unsigned source;
	unsigned looks;
	bool gone;
};

static void look_whether_gone(void *owner)
{
	struct kept *kept = owner;

	kept->looks++;
	if (kept->gone) {
		kept->gone = false;
		leave(kept->source);
	}
}

/* What is one too many is so only after a look at those that were answered; and not at each. */
START_TEST(test_reaper)
{
	struct kept kept = { .gone = true };
	struct connections_reaper reaper = { .reap = look_whether_gone, .owner = &kept };
	unsigned source;

	connections_add_reaper(connections, &reaper);
	for (unsigned i = 0; i < PER_SOURCE; i++) {
		ck_assert(enter(&kept.source));
	}
	ck_assert_uint_eq(kept.looks, 0);
	ck_assert(enter(&source));
	ck_assert_uint_eq(kept.looks, 1);
	ck_assert(!enter(&source));
	ck_assert_uint_le(kept.looks, 2);
	connections_remove_reaper(connections, &reaper);
	kept.looks = 0;
	ck_assert(!enter(&source));
	ck_assert_uint_eq(kept.looks, 0);
}
END_TEST

/* A real socket of ours: its user is root, or the one that we are. */
START_TEST(test_exempt_users)
{
	const union connections_peer peer = { .any = { .sa_family = AF_UNIX } };
	struct sockets_pair pair = sockets_unix_pair();
	unsigned source;

	for (unsigned i = 0; i < MAX; i++) {
		ck_assert_int_eq(
			connections_enter(connections, pair.server_fd, 1, &peer, &source),
			CONNECTIONS_WELCOME);
	}
	ck_assert_uint_eq(source, 0);
	sockets_close(&pair);
}
END_TEST

/* Users that have no right to stop us. Needs root to be several. */
START_TEST(test_other_users)
{
	const union connections_peer peer = { .any = { .sa_family = AF_UNIX } };
	char text[CONNECTIONS_SOURCE_BYTES];
	struct sockets_pair pair;
	struct sockets_pair other;
	struct sockets_pair root = sockets_unix_pair();
	unsigned sources[PER_SOURCE];
	unsigned others[PER_SOURCE];
	unsigned source;

	if (geteuid() != 0) {
		return;
	}
	ck_assert_int_eq(seteuid(NOBODY), 0);
	pair = sockets_unix_pair();
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(seteuid(NOBODY - 1), 0);
	other = sockets_unix_pair();
	ck_assert_int_eq(seteuid(0), 0);
	/* Changing users took that away, and a leak checker needs it. */
	prctl(PR_SET_DUMPABLE, 1);
	for (unsigned i = 0; i < PER_SOURCE; i++) {
		ck_assert_int_eq(
			connections_enter(connections, pair.server_fd, 1, &peer, &sources[i]),
			CONNECTIONS_WELCOME);
	}
	ck_assert_int_eq(connections_enter(connections, pair.server_fd, 1, &peer, &source),
		CONNECTIONS_TOO_MANY_OF_SOURCE);
	leave(source);
	connections_format_source(pair.server_fd, &peer, text, sizeof(text));
	ck_assert_str_eq(text, "user 65534");
	/* Another user has all of his, whatever the first one and root have open. */
	ck_assert_int_eq(connections_enter(connections, root.server_fd, 1, &peer, &source),
		CONNECTIONS_WELCOME);
	leave(source);
	for (unsigned i = 0; i < PER_SOURCE; i++) {
		ck_assert_int_eq(
			connections_enter(connections, other.server_fd, 1, &peer, &others[i]),
			CONNECTIONS_WELCOME);
	}
	for (unsigned i = 0; i < PER_SOURCE; i++) {
		leave(sources[i]);
		leave(others[i]);
	}
	ck_assert_uint_eq(connections_open(connections), 0);
	sockets_close(&pair);
	sockets_close(&other);
	sockets_close(&root);
	/* Another user's process may not be traced, by a leak sanitizer neither. */
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("places");
	TCase *tcase = tcase_create("places");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_two_descriptors);
	tcase_add_test(tcase, test_reaper);
	tcase_add_test(tcase, test_exempt_users);
	tcase_add_test(tcase, test_other_users);
	suite_add_tcase(suite, tcase);
	return suite;
}
