/* SPDX-License-Identifier: MIT */
/* What stands in both formats of the metrics, and in one of them only. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/metrics/exposition.h"

static char *text;

static struct exposition figures(void)
{
	struct exposition exposition = {
		.queue_capacity = 4096,
		.connections = 3,
		.users = 2,
		.host = { .uptime_s = 1.5, .boot_time_s = 1700000000, .loads = { 0.25, 0.5, 1 } },
		.source = "exec",
		.serves = { [ADDRESS_TCP] = true },
	};

	exposition.sum.requests[ADDRESS_TCP] = 10;
	exposition.sum.replies[ADDRESS_TCP] = 6;
	exposition.sum.dropped[ADDRESS_TCP][STATS_EXPIRED] = 1;
	exposition.sum.runs_ok = 4;
	return exposition;
}

static const char *write_text(const struct exposition *exposition, enum exposition_format format)
{
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	exposition_write(out, exposition, format);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void tear_down(void)
{
	free(text);
	text = NULL;
}

static void expect_line(const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	ck_assert_msg(strstr(text, wanted) != NULL, "no line %s in\n%s", line, text);
}

START_TEST(test_samples)
{
	struct exposition exposition = figures();

	for (int format = EXPOSITION_TEXT; format <= EXPOSITION_OPENMETRICS; format++) {
		write_text(&exposition, (enum exposition_format)format);
		expect_line("ruptimed_requests_total{transport=\"tcp\"} 10");
		expect_line("ruptimed_replies_total{transport=\"tcp\"} 6");
		expect_line("ruptimed_dropped_total{transport=\"tcp\",reason=\"expired\"} 1");
		expect_line("ruptimed_dropped_total{transport=\"tcp\",reason=\"malformed\"} 0");
		/* The ledger balances. */
		expect_line("ruptimed_queue_requests{transport=\"tcp\"} 3");
		expect_line("ruptimed_runs_total{result=\"ok\"} 4");
		expect_line("ruptimed_host_load1 0.25");
		expect_line("ruptimed_host_users 2");
		ck_assert_ptr_null(strstr(text, "udp"));
		tear_down();
	}
}
END_TEST

START_TEST(test_formats_differ)
{
	struct exposition exposition = figures();

	write_text(&exposition, EXPOSITION_TEXT);
	expect_line("# TYPE ruptimed_requests_total counter");
	ck_assert_ptr_null(strstr(text, "# EOF"));
	tear_down();
	write_text(&exposition, EXPOSITION_OPENMETRICS);
	expect_line("# TYPE ruptimed_requests counter");
	ck_assert_str_eq(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
}
END_TEST

START_TEST(test_unknown_is_left_out)
{
	struct exposition exposition = figures();

	exposition.users = -1;
	exposition.host.boot_time_s = 0;
	exposition.host.loads[0] = -1;
	write_text(&exposition, EXPOSITION_TEXT);
	ck_assert_ptr_null(strstr(text, "users"));
	ck_assert_ptr_null(strstr(text, "boot_time"));
	ck_assert_ptr_null(strstr(text, "host_load"));
}
END_TEST

START_TEST(test_histogram)
{
	struct exposition exposition = figures();

	stats_observe(&exposition.sum.run_time, 100 * CLOCK_US, 1);
	stats_observe(&exposition.sum.run_time, 2 * CLOCK_MS, 3);
	stats_observe(&exposition.sum.run_time, 10 * CLOCK_S, 1);
	write_text(&exposition, EXPOSITION_TEXT);
	expect_line("ruptimed_run_seconds_bucket{le=\"0.0001\"} 1");
	expect_line("ruptimed_run_seconds_bucket{le=\"0.001\"} 1");
	expect_line("ruptimed_run_seconds_bucket{le=\"0.0025\"} 4");
	expect_line("ruptimed_run_seconds_bucket{le=\"2.5\"} 4");
	expect_line("ruptimed_run_seconds_bucket{le=\"+Inf\"} 5");
	expect_line("ruptimed_run_seconds_count 5");
	expect_line("ruptimed_run_seconds_sum 10.006100000");
}
END_TEST

START_TEST(test_negotiation)
{
	ck_assert_int_eq(exposition_format_of(NULL), EXPOSITION_TEXT);
	ck_assert_int_eq(exposition_format_of("*/*"), EXPOSITION_TEXT);
	ck_assert_int_eq(exposition_format_of("text/plain;version=0.0.4;q=0.5"), EXPOSITION_TEXT);
	ck_assert_int_eq(exposition_format_of("application/openmetrics-text;version=1.0.0,"
		"text/plain;version=0.0.4;q=0.5"), EXPOSITION_OPENMETRICS);
}
END_TEST

START_TEST(test_host)
{
	struct host host;

	host_read(&host);
	ck_assert_double_gt(host.uptime_s, 0);
	ck_assert(host.loads[0] >= -1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("exposition");
	TCase *tcase = tcase_create("exposition");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, test_samples);
	tcase_add_test(tcase, test_formats_differ);
	tcase_add_test(tcase, test_unknown_is_left_out);
	tcase_add_test(tcase, test_histogram);
	tcase_add_test(tcase, test_negotiation);
	tcase_add_test(tcase, test_host);
	suite_add_tcase(suite, tcase);
	return suite;
}
