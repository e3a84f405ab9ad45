/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/listen/inherited_socket.h"
#include "unit/scratch.h"

static const char *why;

static int open_inet(int family, int type, bool listens)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET) {
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	} else {
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
	}
	ck_assert(!listens || listen(fd, 1) == 0);
	return fd;
}

/* With a name that begins with '@', an abstract one. */
static int open_unix(int type, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, len);
	if (name[0] == '@') {
		address.sun_path[0] = '\0';
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	ck_assert(type == SOCK_DGRAM || listen(fd, 1) == 0);
	return fd;
}

static void assert_is(int fd, const char *name, const char *expected)
{
	struct address address;
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(inherited_socket_prepare(fd, name, &address, &why), 0);
	address_format(&address, text, sizeof(text));
	ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s, not %s", text,
		expected);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	io_close(&fd);
}

START_TEST(test_inet)
{
	assert_is(open_inet(AF_INET, SOCK_STREAM, true), "", "tcp://127.0.0.1:");
	assert_is(open_inet(AF_INET6, SOCK_STREAM, true), "", "tcp://[::1]:");
	assert_is(open_inet(AF_INET, SOCK_DGRAM, false), "fdpass", "udp://127.0.0.1:");
	assert_is(open_inet(AF_INET6, SOCK_DGRAM, false), "", "udp://[::1]:");
}
END_TEST

START_TEST(test_unix)
{
	static const struct {
		int type;
		const char *name;
		const char *scheme;
	} kinds[] = {
		{ SOCK_STREAM, "", "unix" },
		{ SOCK_STREAM, "ruptimed.socket", "unix" },
		{ SOCK_STREAM, INHERITED_SOCKET_FDPASS, "fdpass" },
		{ SOCK_SEQPACKET, "", "unix-seqpacket" },
		{ SOCK_DGRAM, "", "unix-dgram" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct scratch_path path = scratch_path("socket");
		char expected[256];

		unlink(path.text);
		snprintf(expected, sizeof(expected), "%s://%s", kinds[i].scheme, path.text);
		assert_is(open_unix(kinds[i].type, path.text), kinds[i].name, expected);
	}
}
END_TEST

START_TEST(test_abstract)
{
	char name[64];
	char expected[128];

	snprintf(name, sizeof(name), "@ruptime-test-%d", (int)getpid());
	snprintf(expected, sizeof(expected), "unix://%s", name);
	assert_is(open_unix(SOCK_STREAM, name), "", expected);
}
END_TEST

static void assert_refused(int fd, const char *reason)
{
	struct address address;

	ck_assert_int_eq(inherited_socket_prepare(fd, "", &address, &why), -1);
	ck_assert_pstr_eq(why, reason);
	io_close(&fd);
}

START_TEST(test_refused)
{
	int pair[2];

	assert_refused(open_inet(AF_INET, SOCK_STREAM, false), "a socket that does not listen");
	assert_refused(socket(AF_NETLINK, SOCK_RAW, 0), "a socket of a kind that is not served");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_refused(pair[0], "a socket without a name");
	assert_refused(open("/dev/null", O_RDWR), NULL);
	ck_assert_int_eq(errno, ENOTSOCK);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("inherited_socket");
	TCase *tcase = tcase_create("inherited_socket");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_test(tcase, test_inet);
	tcase_add_test(tcase, test_unix);
	tcase_add_test(tcase, test_abstract);
	tcase_add_test(tcase, test_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
