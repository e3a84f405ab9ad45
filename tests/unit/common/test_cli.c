/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "unit/capture.h"

#define ARGS_MAX 8

enum { OPTION_COMMAND = CLI_LONG_ONLY, OPTION_WAIT };

static const struct cli_option options[] = {
	{ 'l', "listen", "ADDRESS", "listen there", 0 },
	{ 'v', "verbose", NULL, "say more", 0 },
	{ 'w', "watch", "DURATION", "again and again", 1 },
	{ OPTION_COMMAND, "command", "PATH", "run that", 0 },
	{ OPTION_WAIT, "wait", "DURATION", "keep trying", 1 },
};

static const struct cli cli = {
	.program = "prog",
	.usage = "[options]",
	.purpose = "Does nothing.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
};

/* A command line, the key and argument of each step, and what is complained about. */
static const struct {
	const char *args[ARGS_MAX];
	struct {
		int key;
		const char *argument;
	} steps[ARGS_MAX];
	int first_operand;
	const char *complaint;
} lines[] = {
	{ { NULL }, { { CLI_END, NULL } }, 1, "" },
	{ { "-l", "a" }, { { 'l', "a" }, { CLI_END, NULL } }, 3, "" },
	{ { "-la" }, { { 'l', "a" }, { CLI_END, NULL } }, 2, "" },
	{ { "--listen=a" }, { { 'l', "a" }, { CLI_END, NULL } }, 2, "" },
	{ { "--listen", "a" }, { { 'l', "a" }, { CLI_END, NULL } }, 3, "" },
	{ { "--lis=a" }, { { 'l', "a" }, { CLI_END, NULL } }, 2, "" },
	{ { "--listen=" }, { { 'l', "" }, { CLI_END, NULL } }, 2, "" },
	{ { "-vvl", "a" }, { { 'v', NULL }, { 'v', NULL }, { 'l', "a" }, { CLI_END, NULL } }, 3,
		"" },
	{ { "-w" }, { { 'w', NULL }, { CLI_END, NULL } }, 2, "" },
	{ { "-w", "5" }, { { 'w', NULL }, { CLI_END, NULL } }, 2, "" },
	{ { "-w5" }, { { 'w', "5" }, { CLI_END, NULL } }, 2, "" },
	{ { "--wait" }, { { OPTION_WAIT, NULL }, { CLI_END, NULL } }, 2, "" },
	{ { "--wait=5" }, { { OPTION_WAIT, "5" }, { CLI_END, NULL } }, 2, "" },
	{ { "--command=/x", "--", "-v" }, { { OPTION_COMMAND, "/x" }, { CLI_END, NULL } }, 3, "" },
	{ { "op", "-v" }, { { 'v', NULL }, { CLI_END, NULL } }, 2, "" },
	{ { "-x" }, { { CLI_WRONG, NULL } }, 0, "prog: unknown option '-x'\n" },
	{ { "-vx" }, { { 'v', NULL }, { CLI_WRONG, NULL } }, 0, "prog: unknown option '-x'\n" },
	{ { "--nope" }, { { CLI_WRONG, NULL } }, 0,
		"prog: unknown or ambiguous option '--nope'\n" },
	{ { "--nope=1" }, { { CLI_WRONG, NULL } }, 0,
		"prog: unknown or ambiguous option '--nope=1'\n" },
	{ { "--wa" }, { { CLI_WRONG, NULL } }, 0, "prog: unknown or ambiguous option '--wa'\n" },
	{ { "-l" }, { { CLI_WRONG, NULL } }, 0, "prog: option '-l' needs an argument\n" },
	{ { "-vl" }, { { 'v', NULL }, { CLI_WRONG, NULL } }, 0,
		"prog: option '-vl' needs an argument\n" },
	{ { "--listen" }, { { CLI_WRONG, NULL } }, 0,
		"prog: option '--listen' needs an argument\n" },
	{ { "--command" }, { { CLI_WRONG, NULL } }, 0,
		"prog: option '--command' needs an argument\n" },
	{ { "--verbose=1" }, { { CLI_WRONG, NULL } }, 0,
		"prog: option '--verbose=1' takes no argument\n" },
	{ { "--no\npe\x1b[2J" }, { { CLI_WRONG, NULL } }, 0,
		"prog: unknown or ambiguous option '--no\\x0ape\\x1b[2J'\n" },
};

START_TEST(test_line)
{
	char *argv[ARGS_MAX + 2] = { (char[]){ "prog" } };
	char complaint[512];
	int argc = 1;

	while (lines[_i].args[argc - 1]) {
		argv[argc] = strdup(lines[_i].args[argc - 1]);
		argc++;
	}
	optind = 0;
	capture_begin();
	for (size_t step = 0;; step++) {
		int expected = lines[_i].steps[step].key;
		const char *argument = NULL;
		int key = cli_next(&cli, argc, argv, &argument);

		ck_assert_int_eq(key, expected);
		if (key == CLI_END || key == CLI_WRONG) {
			break;
		}
		ck_assert_pstr_eq(argument, lines[_i].steps[step].argument);
	}
	capture_take(complaint, sizeof(complaint));
	capture_end();
	ck_assert_str_eq(complaint, lines[_i].complaint);
	if (!complaint[0]) {
		ck_assert_int_eq(optind, lines[_i].first_operand);
	}
	for (int i = 1; i < argc; i++) {
		free(argv[i]);
	}
}
END_TEST

START_TEST(test_help)
{
	static const char expected[] =
		"Usage: prog [options]\n"
		"Does nothing.\n"
		"\n"
		"  -l, --listen=ADDRESS           listen there\n"
		"  -v, --verbose                  say more\n"
		"  -w, --watch[=DURATION]         again and again\n"
		"      --command=PATH             run that\n"
		"      --wait[=DURATION]          keep trying\n";
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cli_print_help(&cli, out);
	fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}
END_TEST

START_TEST(test_version)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cli_print_version(&cli, out);
	fclose(out);
	ck_assert_str_eq(text, "prog (ruptime) " PACKAGE_VERSION "\n");
	free(text);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("cli");
	TCase *tcase = tcase_create("cli");

	tcase_add_loop_test(tcase, test_line, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tcase, test_help);
	tcase_add_test(tcase, test_version);
	suite_add_tcase(suite, tcase);
	return suite;
}
