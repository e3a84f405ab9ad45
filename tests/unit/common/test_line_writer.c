/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/line_writer.h"

/* A pipe that only the test reads; the thread hangs in it once it is full. */
static int pipe_fds[2];
static _Atomic int failure;

static int write_pipe(const char *line, size_t len)
{
	if (failure) {
		errno = failure;
		return -1;
	}
	return io_write_all(pipe_fds[1], line, len);
}

static size_t tell(uint64_t lost, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%llu lost\n", (unsigned long long)lost);
}

static const struct line_output output = { "test", write_pipe, tell };

static struct line_writer writer;

static void set_up(void)
{
	failure = 0;
	memset(&writer, 0, sizeof(writer));
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	line_writer_init(&writer, &output);
}

static void put(const char *line)
{
	line_writer_put(&writer, line, strlen(line));
}

static size_t drain(char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(pipe_fds[0], text + len, size - len - 1)) > 0) {
		len += (size_t)got;
	}
	text[len] = '\0';
	return len;
}

static void expect(const char *lines)
{
	char text[256];

	drain(text, sizeof(text));
	ck_assert_str_eq(text, lines);
}

START_TEST(test_keeps_until_it_is_started)
{
	put("a\n");
	put("b\n");
	expect("");
	ck_assert_int_eq(line_writer_start(&writer), 0);
	put("c\n");
	ck_assert(line_writer_flush(&writer));
	expect("a\nb\nc\n");
	line_writer_end(&writer);
	line_writer_end(&writer);
}
END_TEST

START_TEST(test_ends_without_a_line)
{
	line_writer_end(&writer);
	ck_assert(line_writer_flush(&writer));
	put("a\n");
	line_writer_end(&writer);
	expect("a\n");
}
END_TEST

/* How often TEXT has LINE, and in *LOST how many it tells of: room may have come more than once. */
static unsigned count_lines(const char *text, const char *line, unsigned long long *lost)
{
	unsigned shown = 0;

	*lost = 0;
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		unsigned long long more;

		if (strncmp(text, line, strlen(line)) == 0) {
			shown++;
		} else {
			ck_assert_int_eq(sscanf(text, "%llu lost", &more), 1);
			*lost += more;
		}
	}
	return shown;
}

/* The thread ends with the test's process: it hangs, and may. */
START_TEST(test_a_reader_that_stalls)
{
	uint64_t began_ns = clock_now_ns();
	static char line[1024];
	static char text[2 * LINE_WRITER_BYTES];
	unsigned long long lost;
	unsigned lines = 1000;
	unsigned shown;
	size_t len = 0;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 2] = '\n';
	ck_assert_int_eq(line_writer_start(&writer), 0);
	for (unsigned i = 0; i < lines; i++) {
		put(line);
	}
	ck_assert(!line_writer_flush(&writer));
	ck_assert_uint_lt(clock_now_ns() - began_ns, 3 * CLOCK_S);
	/* It reads again: all that was kept comes, and at the end how many did not. */
	while ((shown = count_lines(text, line, &lost)) + lost < lines) {
		len += drain(text + len, sizeof(text) - len);
		poll(NULL, 0, 1);
	}
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(shown + lost, lines);
	ck_assert(line_writer_flush(&writer));
	line_writer_end(&writer);
}
END_TEST

START_TEST(test_an_end_that_is_not_waited_for)
{
	static char line[1024];
	uint64_t began_ns;

	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 200; i++) {
		put(line);
	}
	began_ns = clock_now_ns();
	line_writer_end(&writer);
	ck_assert_uint_lt(clock_now_ns() - began_ns, 2 * CLOCK_S);
	put(line);
}
END_TEST

/* A disk that is full and has room again, a syslogd that comes back. */
START_TEST(test_an_output_that_fails)
{
	failure = ENOSPC;
	ck_assert_int_eq(line_writer_start(&writer), 0);
	put("a\n");
	put("b\n");
	ck_assert(line_writer_flush(&writer));
	put("c\n");
	ck_assert(line_writer_flush(&writer));
	expect("");
	failure = 0;
	put("d\n");
	ck_assert(line_writer_flush(&writer));
	expect("3 lost\nd\n");
	line_writer_end(&writer);
}
END_TEST

START_TEST(test_a_line_that_is_too_long)
{
	static char line[LINE_WRITER_LINE_BYTES + 1];

	line_writer_put(&writer, line, sizeof(line));
	put("a\n");
	ck_assert(line_writer_flush(&writer));
	expect("1 lost\na\n");
	line_writer_end(&writer);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("line_writer");
	TCase *tcase = tcase_create("line_writer");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_keeps_until_it_is_started);
	tcase_add_test(tcase, test_ends_without_a_line);
	tcase_add_test(tcase, test_a_reader_that_stalls);
	tcase_add_test(tcase, test_an_end_that_is_not_waited_for);
	tcase_add_test(tcase, test_an_output_that_fails);
	tcase_add_test(tcase, test_a_line_that_is_too_long);
	suite_add_tcase(suite, tcase);
	return suite;
}
