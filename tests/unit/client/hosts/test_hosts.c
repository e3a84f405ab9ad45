/* SPDX-License-Identifier: MIT */
/*
 * From words, files and the environment to targets.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/hosts/hosts.h"
#include "unit/scratch.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct hosts hosts;
static struct targets targets;

static void set_up(void)
{
	/* No file of the machine's is read: but /etc/ruptime.hosts, which no test names. */
	setenv("HOME", scratch_path("home").text, 1);
	unsetenv(HOSTS_VARIABLE);
	ck_assert_int_eq(targets_init(&targets, ADDRESS_TCP), 0);
}

static void tear_down(void)
{
	hosts_fini(&hosts);
	targets_fini(&targets);
}

/* All targets, a blank between two. */
static const char *joined(void)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < targets.count; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			targets.list[i].text);
	}
	return text;
}

static int gather(const char *word, const char *path)
{
	char copy[256];
	char *words[] = { copy };

	snprintf(copy, sizeof(copy), "%s", word ? word : "");
	return hosts_gather(&hosts, &targets, words, word ? 1 : 0, &path, path ? 1 : 0);
}

/* A file, and the hosts that it names, or what is wrong with it. */
static const struct {
	const char *text;
	const char *hosts;
	const char *error;
} files[] = {
	{ "", "", NULL },
	{ "a", "a", NULL },
	{ "a\nb\r\n\n  c d\t\te \n", "a b c d e", NULL },
	{ "# none\na # b c\n#d\ne#f\n", NULL, ":4: e#f: " },
	{ "w[1-3] w2\n", "w1 w2 w3", NULL },
	{ "@web: w[1-2]\n@web b\n", "w1 w2 b", NULL },
	{ "@all\n@all: @web @db\n@web: w1\n@db: d1 w1 # and\n", "w1 d1", NULL },
	/* Definitions alone: all of them. */
	{ "@web: w1\n@db: d1\n", "w1 d1", NULL },
	{ "@none:\na\n", "a", NULL },
	{ "@a: x\n@a: y\n", NULL, ":2: the group is defined twice" },
	{ "a\n@web\n", NULL, ":2: @web: no hosts file defines such a group" },
	{ "@a: @b\n@b: @a\n@a\n", NULL, ":2: @a: the group holds itself" },
	{ "@a: @a\n@a\n", NULL, ":1: @a: the group holds itself" },
	{ "ok\nw[1-\n", NULL, ":2: w[1-: a bracket is not closed" },
	{ "h:99999\n", NULL, ":1: h:99999: the port is not a number from 0 to 65535" },
};

START_TEST(test_files)
{
	struct scratch_path path = scratch_file("hosts", files[_i].text, 0644);
	int result = gather(NULL, path.text);

	if (files[_i].hosts) {
		ck_assert_msg(result == 0, "%s", hosts.error);
		ck_assert_str_eq(joined(), files[_i].hosts);
		ck_assert(hosts.from_file);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_msg(strncmp(hosts.error, path.text, strlen(path.text)) == 0 &&
				      strstr(hosts.error, files[_i].error),
			"%s", hosts.error);
	}
}
END_TEST

START_TEST(test_no_such_file)
{
	ck_assert_int_eq(gather(NULL, scratch_path("none").text), -1);
	ck_assert_ptr_nonnull(strstr(hosts.error, "No such file or directory"));
}
END_TEST

/* However it is written, an address is asked once. */
START_TEST(test_same_address)
{
	struct scratch_path path = scratch_file("hosts",
		"a tcp://a a:8784 udp://a msgq://16 msgq://0x10 [::1]:80 tcp://[::1]:80\n", 0644);

	ck_assert_int_eq(gather("a", path.text), 0);
	ck_assert_str_eq(joined(), "a udp://a msgq://16 [::1]:80");
}
END_TEST

START_TEST(test_words_come_before_files)
{
	struct scratch_path path = scratch_file("hosts", "@web: w1\nb\n", 0644);

	ck_assert_int_eq(gather("@web", path.text), 0);
	ck_assert_str_eq(joined(), "w1 b");
}
END_TEST

START_TEST(test_bare_scheme)
{
	struct address address;

	targets_fini(&targets);
	ck_assert_int_eq(targets_init(&targets, ADDRESS_UDP), 0);
	ck_assert_int_eq(gather("a", NULL), 0);
	targets_address(&targets, 0, &address);
	ck_assert_int_eq(address.scheme, ADDRESS_UDP);
	ck_assert_str_eq(address.port, "8784");
}
END_TEST

START_TEST(test_environment)
{
	setenv(HOSTS_VARIABLE, " w[1-2]  udp://x\n", 1);
	ck_assert_int_eq(gather(NULL, NULL), 0);
	ck_assert_str_eq(joined(), "w1 w2 udp://x");
	ck_assert(!hosts.from_file);
}
END_TEST

START_TEST(test_nothing_named)
{
	setenv(HOSTS_VARIABLE, "", 1);
	ck_assert_int_eq(gather(NULL, NULL), 0);
	ck_assert_str_eq(joined(), "localhost");
}
END_TEST

/* The user's own file, which scratch_file() cannot make: it has no directories. */
START_TEST(test_default_file)
{
	char command[512];

	snprintf(command, sizeof(command),
		"mkdir -p '%s/.config/ruptime' && echo '@web: w[1-2]' >'%s/.config/ruptime/hosts'",
		scratch_path("home").text, scratch_path("home").text);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(gather("@web", NULL), 0);
	ck_assert_str_eq(joined(), "w1 w2");
	ck_assert(!hosts.from_file);
	tear_down();
	ck_assert_int_eq(targets_init(&targets, ADDRESS_TCP), 0);
	ck_assert_int_eq(gather(NULL, NULL), 0);
	ck_assert_str_eq(joined(), "w1 w2");
	ck_assert(hosts.from_file);
}
END_TEST

/* Tables that have to grow, and hashes that meet. */
START_TEST(test_many)
{
	ck_assert_int_eq(gather("w[0-49999]", NULL), 0);
	ck_assert_uint_eq(targets.count, 50000);
	hosts_fini(&hosts);
	ck_assert_int_eq(gather("w[40000-59999]", NULL), 0);
	ck_assert_uint_eq(targets.count, 60000);
	ck_assert_str_eq(targets.list[59999].text, "w59999");
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tcase = tcase_create("gather");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_files, 0, ROWS(files));
	tcase_add_test(tcase, test_no_such_file);
	tcase_add_test(tcase, test_same_address);
	tcase_add_test(tcase, test_words_come_before_files);
	tcase_add_test(tcase, test_bare_scheme);
	tcase_add_test(tcase, test_environment);
	tcase_add_test(tcase, test_nothing_named);
	tcase_add_test(tcase, test_default_file);
	tcase_add_test(tcase, test_many);
	suite_add_tcase(suite, tcase);
	return suite;
}
