/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "daemon/ingress/udp_backlog.h"

#define LEAST 100
#define MOST  10000

static struct udp_backlog backlog;
static uint64_t now_ns;

static void set_up(void)
{
	now_ns = 5 * CLOCK_S;
	udp_backlog_init(&backlog, LEAST, MOST, now_ns);
}

/* PARTS looks in NS, COUNT served in all. Returns what the last of them did. */
static bool look(size_t count, bool standing, uint64_t ns, unsigned parts)
{
	for (unsigned i = 1; i < parts; i++) {
		size_t before = backlog.now;

		now_ns += ns / parts;
		ck_assert(!udp_backlog_look(&backlog, count / parts, standing, now_ns));
		ck_assert_uint_eq(backlog.now, before);
	}
	now_ns += ns / parts;
	return udp_backlog_look(&backlog, count / parts, standing, now_ns);
}

START_TEST(test_at_first_for_most)
{
	ck_assert_uint_eq(backlog.now, MOST);
	ck_assert(!look(1000000, false, UDP_BACKLOG_NS, 10));
	ck_assert_uint_eq(backlog.now, MOST);
}
END_TEST

START_TEST(test_flood)
{
	ck_assert(look(500, true, UDP_BACKLOG_NS, 10));
	ck_assert_uint_eq(backlog.now, 500);
	/* Only the pace counts, not how long it took to find out. */
	ck_assert(look(3000, true, 5 * UDP_BACKLOG_NS, 1));
	ck_assert_uint_eq(backlog.now, 600);
	ck_assert(!look(600, true, UDP_BACKLOG_NS, 10));
	ck_assert(look(1200, true, UDP_BACKLOG_NS, 10));
	ck_assert_uint_eq(backlog.now, 1200);
}
END_TEST

START_TEST(test_bounds)
{
	ck_assert(look(1, true, UDP_BACKLOG_NS, 1));
	ck_assert_uint_eq(backlog.now, LEAST);
	ck_assert(look(MOST + 1, true, UDP_BACKLOG_NS, 1));
	ck_assert_uint_eq(backlog.now, MOST);
	/* Even if nothing is served for a very long time. */
	ck_assert(look(0, true, 100000 * CLOCK_S, 1));
	ck_assert_uint_eq(backlog.now, LEAST);
}
END_TEST

START_TEST(test_after_a_flood)
{
	look(500, true, UDP_BACKLOG_NS, 10);
	ck_assert(look(500, false, UDP_BACKLOG_NS, 10));
	ck_assert_uint_eq(backlog.now, 626);
	ck_assert(look(500, false, 2 * UDP_BACKLOG_NS, 1));
	ck_assert_uint_eq(backlog.now, 979);
	for (int i = 0; i < 11; i++) {
		ck_assert(look(500, false, UDP_BACKLOG_NS, 1));
	}
	ck_assert_uint_eq(backlog.now, MOST);
	look(500, true, UDP_BACKLOG_NS, 10);
	/* No look while no datagram comes: the next burst is welcome at once. */
	ck_assert(look(1, false, 3600 * CLOCK_S, 1));
	ck_assert_uint_eq(backlog.now, MOST);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("udp_backlog");
	TCase *tcase = tcase_create("room");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_at_first_for_most);
	tcase_add_test(tcase, test_flood);
	tcase_add_test(tcase, test_bounds);
	tcase_add_test(tcase, test_after_a_flood);
	suite_add_tcase(suite, tcase);
	return suite;
}
