/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "common/resolve.h"

static struct address address_of(const char *text)
{
	struct address address;
	const char *why;

	ck_assert_int_eq(address_parse(&address, text, strlen(text), &why), 0);
	return address;
}

/* What this machine's database says, which may be nothing. */
static int known_port(const char *service, const char *protocol)
{
	struct servent *entry = getservbyname(service, protocol);

	return entry ? ntohs((uint16_t)entry->s_port) : -1;
}

START_TEST(test_port_number_stays)
{
	struct address address = address_of("tcp://h:65535");
	const char *why;

	ck_assert_int_eq(resolve_port(&address, &why), 0);
	ck_assert_str_eq(address.port, "65535");
}
END_TEST

START_TEST(test_port_default)
{
	struct address address = address_of("udp://h");
	int expected = known_port("ruptime", "udp");
	char text[16];
	const char *why;

	snprintf(text, sizeof(text), "%d", expected < 0 ? RESOLVE_DEFAULT_PORT : expected);
	ck_assert_int_eq(resolve_port(&address, &why), 0);
	ck_assert_str_eq(address.port, text);
}
END_TEST

START_TEST(test_port_service)
{
	struct address address = address_of("tcp://h:smtp");
	int expected = known_port("smtp", "tcp");
	char text[16];
	const char *why = NULL;

	snprintf(text, sizeof(text), "%d", expected);
	if (expected < 0) {
		ck_assert_int_eq(resolve_port(&address, &why), -1);
	} else {
		ck_assert_int_eq(resolve_port(&address, &why), 0);
		ck_assert_str_eq(address.port, text);
	}
}
END_TEST

START_TEST(test_port_unknown_service)
{
	struct address address = address_of("tcp://h:9no-such-service");
	const char *why = NULL;

	ck_assert_int_eq(resolve_port(&address, &why), -1);
	ck_assert_ptr_nonnull(strstr(why, "no service"));
	ck_assert_str_eq(address.port, "9no-such-service");
}
END_TEST

START_TEST(test_port_of_others_is_left_alone)
{
	struct address address = address_of("unix:///x");
	const char *why;

	ck_assert_int_eq(resolve_port(&address, &why), 0);
	ck_assert_str_eq(address.port, "");
}
END_TEST

static const struct {
	const char *text;
	int family;
	int type;
} numeric[] = {
	{ "tcp://127.0.0.1:0", AF_INET, SOCK_STREAM },
	{ "udp://127.1.2.3:65535", AF_INET, SOCK_DGRAM },
	{ "tcp://[::1]:8784", AF_INET6, SOCK_STREAM },
	{ "udp://[2001:db8::1]:1", AF_INET6, SOCK_DGRAM },
	{ "udp://[fe80::1%lo]:1", AF_INET6, SOCK_DGRAM },
};

/* A numeric address becomes exactly one socket address, and that describes itself the same way. */
START_TEST(test_numeric)
{
	struct address address = address_of(numeric[_i].text);
	struct address again;
	struct addrinfo *list = NULL;
	char text[ADDRESS_TEXT_MAX];
	const char *why = NULL;

	ck_assert_msg(resolve_sockets(&address, AF_UNSPEC, &list, &why) == 0, "%s: %s",
		numeric[_i].text, why);
	ck_assert_int_eq(list->ai_family, numeric[_i].family);
	ck_assert_int_eq(list->ai_socktype, numeric[_i].type);
	ck_assert_ptr_null(list->ai_next);
	resolve_describe(list->ai_addr, list->ai_addrlen, address.scheme, &again);
	address_format(&again, text, sizeof(text));
	ck_assert_str_eq(text, numeric[_i].text);
	resolve_free(list);
}
END_TEST

static const struct {
	const char *text;
	int type;
} paths[] = {
	{ "unix:///run/x?mode=0600", SOCK_STREAM },
	{ "unix-seqpacket:///run/x", SOCK_SEQPACKET },
	{ "unix-dgram:///run/x", SOCK_DGRAM },
	{ "fdpass:///run/x", SOCK_STREAM },
};

/* Whatever the family: that is for hosts. */
START_TEST(test_path)
{
	struct address address = address_of(paths[_i].text);
	struct addrinfo *list = NULL;
	const char *why = NULL;

	ck_assert_int_eq(resolve_sockets(&address, AF_INET6, &list, &why), 0);
	ck_assert_int_eq(list->ai_family, AF_UNIX);
	ck_assert_int_eq(list->ai_socktype, paths[_i].type);
	ck_assert_uint_eq(list->ai_addrlen, sizeof(struct sockaddr_un));
	ck_assert_int_eq(list->ai_addr->sa_family, AF_UNIX);
	ck_assert_str_eq(((struct sockaddr_un *)(void *)list->ai_addr)->sun_path, "/run/x");
	ck_assert_ptr_null(list->ai_next);
	resolve_free(list);
}
END_TEST

/* The longest path there is has its NUL. */
START_TEST(test_longest_path)
{
	char text[sizeof("unix://") + ADDRESS_PATH_MAX] = "unix:///";
	struct addrinfo *list = NULL;
	struct address address;
	const char *why = NULL;

	memset(text + strlen(text), 'x', ADDRESS_PATH_MAX - 1);
	address = address_of(text);
	ck_assert_int_eq(resolve_sockets(&address, AF_UNSPEC, &list, &why), 0);
	ck_assert_str_eq(((struct sockaddr_un *)(void *)list->ai_addr)->sun_path, address.path);
	ck_assert_uint_eq(strlen(address.path), ADDRESS_PATH_MAX);
	resolve_free(list);
}
END_TEST

START_TEST(test_queue_has_no_socket)
{
	struct address address = address_of("msgq://0x123");
	struct addrinfo *list = (void *)&address;
	const char *why = NULL;

	ck_assert_int_eq(resolve_sockets(&address, AF_UNSPEC, &list, &why), 0);
	ck_assert_ptr_null(list);
	resolve_free(list);
}
END_TEST

START_TEST(test_all_local_addresses)
{
	struct address address = address_of("tcp://*:8784");
	struct addrinfo *list = NULL;
	const char *why = NULL;

	ck_assert_int_eq(resolve_sockets(&address, AF_UNSPEC, &list, &why), 0);
	ck_assert_int_eq(list->ai_family, AF_INET);
	ck_assert_uint_eq(((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr.s_addr,
		htonl(INADDR_ANY));
	ck_assert_ptr_nonnull(list->ai_next);
	ck_assert_int_eq(list->ai_next->ai_family, AF_INET6);
	ck_assert_ptr_null(list->ai_next->ai_next);
	resolve_free(list);
}
END_TEST

START_TEST(test_wrong_family)
{
	struct address address = address_of("tcp://[::1]:1");
	struct addrinfo *list = NULL;
	const char *why = NULL;

	ck_assert_int_eq(resolve_sockets(&address, AF_INET, &list, &why), -1);
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* With no descriptor to read its files by, the resolver would call any name unknown. */
START_TEST(test_no_descriptor_left)
{
	struct address address = address_of("tcp://localhost:1");
	struct addrinfo *list = NULL;
	const char *why = NULL;
	struct rlimit before;
	struct rlimit none;
	int result;
	int error;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = resolve_sockets(&address, AF_UNSPEC, &list, &why);
	error = errno;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(error, EMFILE);
	ck_assert_str_eq(why, strerror(EMFILE));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tcase = tcase_create("resolve");

	tcase_add_test(tcase, test_port_number_stays);
	tcase_add_test(tcase, test_port_default);
	tcase_add_test(tcase, test_port_service);
	tcase_add_test(tcase, test_port_unknown_service);
	tcase_add_test(tcase, test_port_of_others_is_left_alone);
	tcase_add_loop_test(tcase, test_numeric, 0, sizeof(numeric) / sizeof(numeric[0]));
	tcase_add_loop_test(tcase, test_path, 0, sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(tcase, test_longest_path);
	tcase_add_test(tcase, test_queue_has_no_socket);
	tcase_add_test(tcase, test_all_local_addresses);
	tcase_add_test(tcase, test_wrong_family);
	tcase_add_test(tcase, test_no_descriptor_left);
	suite_add_tcase(suite, tcase);
	return suite;
}
