/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/options.h"
#include "unit/capture.h"

#define WORDS_MAX 128

static struct settings settings;
static char complaint[1024];

/* Parse a command line of words that blanks part. Whatever goes to stderr goes to COMPLAINT. */
static enum options_result parse(const char *line)
{
	static char copy[8192];
	char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t)"ruptimed" };
	enum options_result result;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc <= WORDS_MAX; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	/* glibc: begin anew. */
	optind = 0;
	capture_begin();
	result = daemon_options_parse(&settings, argc, argv);
	capture_take(complaint, sizeof(complaint));
	capture_end();
	return result;
}

static void assert_listens(unsigned i, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];

	ck_assert_uint_lt(i, settings.listen_count);
	address_format(&settings.listen[i], text, sizeof(text));
	ck_assert_str_eq(text, expected);
}

START_TEST(test_defaults)
{
	ck_assert_int_eq(parse(""), OPTIONS_RUN);
	ck_assert_str_eq(complaint, "");
	ck_assert_uint_eq(settings.listen_count, 2);
	ck_assert_str_eq(settings.listen[0].host, "");
	ck_assert_int_eq(settings.listen[0].scheme, ADDRESS_TCP);
	ck_assert_int_eq(settings.listen[1].scheme, ADDRESS_UDP);
	ck_assert_str_eq(settings.listen[0].port, settings.listen[1].port);
	ck_assert_uint_ge(settings.workers, 1);
	ck_assert_uint_eq(settings.queue, 4096);
	ck_assert_uint_eq(settings.max_connections, 0);
	ck_assert_uint_eq(settings.max_per_source, 256);
	ck_assert_int_eq(settings.command[0], '/');
	ck_assert_uint_eq(settings.run_timeout_ns, CLOCK_S);
	ck_assert_uint_eq(settings.max_age_ns, 0);
	ck_assert_str_eq(settings.user, "");
	ck_assert_int_eq(settings.sandbox, SANDBOX_BASIC);
	ck_assert(!settings.daemon);
	ck_assert_str_eq(settings.pid_file, "");
	ck_assert_uint_eq(settings.udp_allow_count, 0);
	ck_assert(!settings.udp_open);
	ck_assert_uint_eq(settings.rate, 50);
	ck_assert(!settings.rate_dry_run);
	ck_assert_int_eq(settings.ready_fd, -1);
	ck_assert_int_eq(settings.log_level, LOG_LEVEL_INFO);
}
END_TEST

START_TEST(test_all)
{
	ck_assert_int_eq(parse("-l tcp://127.0.0.1:1 --listen=udp://[::1]:2 -w 3 -q 5k -s exec "
			       "--max-connections=1M --max-per-source=1 --command=/bin/true "
			       "--run-timeout=250ms --max-age=1.5s -u nobody "
			       "-D --pid-file=/run/x.pid --ready-fd=1 -v"),
		OPTIONS_RUN);
	assert_listens(0, "tcp://127.0.0.1:1");
	assert_listens(1, "udp://[::1]:2");
	ck_assert_uint_eq(settings.listen_count, 2);
	ck_assert_uint_eq(settings.workers, 3);
	ck_assert_uint_eq(settings.queue, 5000);
	ck_assert_uint_eq(settings.max_connections, 1000000);
	ck_assert_uint_eq(settings.max_per_source, 1);
	ck_assert_str_eq(settings.command, "/bin/true");
	ck_assert_uint_eq(settings.run_timeout_ns, 250 * CLOCK_MS);
	ck_assert_uint_eq(settings.max_age_ns, 1500 * CLOCK_MS);
	ck_assert_str_eq(settings.user, "nobody");
	ck_assert(settings.daemon);
	ck_assert_str_eq(settings.pid_file, "/run/x.pid");
	ck_assert_int_eq(settings.ready_fd, 1);
	ck_assert_int_ne(fcntl(1, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(settings.log_level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(parse("--quiet"), OPTIONS_RUN);
	ck_assert_int_eq(settings.log_level, LOG_LEVEL_WARNING);
	ck_assert_int_eq(parse("--sandbox=off"), OPTIONS_RUN);
	ck_assert_int_eq(settings.sandbox, SANDBOX_OFF);
}
END_TEST

START_TEST(test_udp_policy)
{
	ck_assert_int_eq(parse("--udp-allow=192.0.2.0/24 --udp-allow=2001:db8::/32 --udp-open "
			       "--rate=1k/s --rate-dry-run"),
		OPTIONS_RUN);
	ck_assert_uint_eq(settings.udp_allow_count, 2);
	ck_assert_uint_eq(settings.udp_allow[0].bits, 96 + 24);
	ck_assert_uint_eq(settings.udp_allow[1].bits, 32);
	ck_assert(settings.udp_open);
	ck_assert_uint_eq(settings.rate, 1000);
	ck_assert(settings.rate_dry_run);
	ck_assert_int_eq(parse("--rate=7"), OPTIONS_RUN);
	ck_assert_uint_eq(settings.rate, 7);
	ck_assert_int_eq(parse("--rate=0"), OPTIONS_RUN);
	ck_assert_uint_eq(settings.rate, 0);
}
END_TEST

START_TEST(test_access)
{
	ck_assert_int_eq(parse("--allow=192.0.2.0/24 --deny=192.0.2.7 --deny=::/0 "
			       "--allow=192.0.2.99/24"),
		OPTIONS_RUN);
	ck_assert_uint_eq(settings.access_count, 3);
	ck_assert_uint_eq(settings.access[0].network.bits, 96 + 24);
	ck_assert(settings.access[0].allowed);
	ck_assert_uint_eq(settings.access[1].network.bits, 128);
	ck_assert(!settings.access[1].allowed);
	ck_assert_uint_eq(settings.access[2].network.bits, 0);
}
END_TEST

/* Each with what its complaint has to show. */
static const struct {
	const char *line;
	const char *shows;
} wrong[] = {
	{ "-l tcp://127.0.0.1:65536", "tcp://127.0.0.1:65536" },
	{ "-l gopher://h", "gopher://h" },
	{ "-l tcp://127.0.0.1:7 -l tcp://127.0.0.1:7", "given twice" },
	{ "-l tcp://127.0.0.1:no-such-service", "no-such-service" },
	{ "-w 0", "--workers=0" },
	{ "-w 257", "from 1 to 256" },
	{ "--workers=four", "--workers=four" },
	{ "-q 0", "--queue=0" },
	{ "--max-connections=0", "--max-connections=0" },
	{ "--max-connections=2M", "from 1 to 1048576" },
	{ "--max-per-source=0", "--max-per-source=0" },
	{ "-q 2M", "--queue=2M" },
	{ "-q -1", "--queue=-1" },
	{ "-s magic", "--source=magic" },
	{ "--run-timeout=0", "--run-timeout=0" },
	{ "--run-timeout=soon", "--run-timeout=soon" },
	{ "--run-timeout=2h", "--run-timeout=2h" },
	{ "--max-age=-1s", "--max-age=-1s" },
	{ "--command=", "--command=" },
	{ "--udp-allow=192.0.2.0/33", "--udp-allow=192.0.2.0/33" },
	{ "--udp-allow=everyone", "names are not taken" },
	{ "--allow=192.0.2.0/33", "--allow=192.0.2.0/33: not a network" },
	{ "--allow=192.0.2.0/24/7", "not a network" },
	{ "--allow=", "not a network" },
	{ "--deny=host.example", "--deny=host.example: names are not taken, since their owners" },
	{ "--deny=localhost", "names are not taken" },
	{ "--allow=10.0.0.0/8 --deny=10.9.8.7/8", "the same network is both allowed and denied" },
	{ "--rate=often", "--rate=often" },
	{ "--rate=/s", "--rate=/s" },
	{ "--rate=5/m", "--rate=5/m" },
	{ "--rate=100001", "from 0 to 100000/s" },
	{ "--rate=00000000000000000000000000000000000000001/s", "--rate=0" },
	{ "--pid-file=", "--pid-file=" },
	{ "--ready-fd=-1", "--ready-fd=-1" },
	{ "--ready-fd=1000", "--ready-fd=1000" },
	{ "--ready-fd=99999999999999999999", "--ready-fd=" },
	{ "tcp://127.0.0.1", "tcp://127.0.0.1" },
	{ "--no-such-option", "no-such-option" },
	{ "-l", "'-l'" },
};

START_TEST(test_wrong)
{
	ck_assert_msg(parse(wrong[_i].line) == OPTIONS_WRONG, "%s", wrong[_i].line);
	ck_assert_msg(strstr(complaint, wrong[_i].shows) != NULL, "%s: %s", wrong[_i].line,
		complaint);
	ck_assert_int_eq(strncmp(complaint, "ruptimed: ", 10), 0);
	/* One line. */
	ck_assert_ptr_eq(strchr(complaint, '\n'), complaint + strlen(complaint) - 1);
}
END_TEST

START_TEST(test_port_zero_again)
{
	ck_assert_int_eq(parse("-l tcp://127.0.0.1:0 -l tcp://127.0.0.1:0"), OPTIONS_RUN);
	ck_assert_uint_eq(settings.listen_count, 2);
}
END_TEST

START_TEST(test_many_addresses)
{
	char line[4096] = "";

	for (int i = 1; i <= SETTINGS_LISTEN_MAX; i++) {
		size_t len = strlen(line);

		snprintf(line + len, sizeof(line) - len, " -ltcp://127.0.0.1:%d", i);
	}
	ck_assert_int_eq(parse(line), OPTIONS_RUN);
	ck_assert_uint_eq(settings.listen_count, SETTINGS_LISTEN_MAX);
	strcat(line, " -ludp://127.0.0.1:1");
	ck_assert_int_eq(parse(line), OPTIONS_WRONG);
}
END_TEST

/* A daemon leaves its directory, so paths are taken from here. */
START_TEST(test_relative_paths)
{
	char here[PATH_MAX];
	char expected[PATH_MAX + 16];
	static char line[PATH_MAX + 64];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert_int_eq(parse("--command=bin/uptime --pid-file=x.pid"), OPTIONS_RUN);
	snprintf(expected, sizeof(expected), "%s/bin/uptime", here);
	ck_assert_str_eq(settings.command, expected);
	snprintf(expected, sizeof(expected), "%s/x.pid", here);
	ck_assert_str_eq(settings.pid_file, expected);
	snprintf(line, sizeof(line), "--pid-file=/%0*d", PATH_MAX - 2, 0);
	ck_assert_int_eq(parse(line), OPTIONS_RUN);
	snprintf(line, sizeof(line), "--pid-file=/%0*d", PATH_MAX - 1, 0);
	ck_assert_int_eq(parse(line), OPTIONS_WRONG);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");

	tcase_add_test(tcase, test_defaults);
	tcase_add_test(tcase, test_all);
	tcase_add_test(tcase, test_access);
	tcase_add_test(tcase, test_udp_policy);
	tcase_add_loop_test(tcase, test_wrong, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tcase, test_port_zero_again);
	tcase_add_test(tcase, test_many_addresses);
	tcase_add_test(tcase, test_relative_paths);
	suite_add_tcase(suite, tcase);
	return suite;
}
