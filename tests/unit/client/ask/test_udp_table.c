/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <netinet/in.h>
#include <string.h>

#include "client/ask/udp_table.h"
#include "unit/random.h"

#define ENTRIES	  512
#define ADDRESSES 64
#define STEPS	  20000

static struct udp_table table;

static void set_up(void)
{
	random_init();
	/* Far too small, so that the chains are long. */
	ck_assert_int_eq(udp_table_init(&table, 4), 0);
}

static void tear_down(void)
{
	udp_table_fini(&table);
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The Nth of ADDRESSES: of both families, some that differ by the port alone. */
static union address address_of(unsigned n)
{
	union address address;

	memset(&address, 0, sizeof(address));
	if (n % 2) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons((uint16_t)(1 + n / 8));
		address.v6.sin6_addr.s6_addr[15] = (uint8_t)(n % 8);
	} else {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons((uint16_t)(1 + n / 8));
		address.v4.sin_addr.s_addr = htonl(0x7f000000u + n % 8);
	}
	return address;
}

struct request {
	struct udp_entry entry;
	union address address;
	unsigned number;
	bool is_in;
};

static unsigned found(const struct request *requests, unsigned number)
{
	const union address address = address_of(number);
	struct udp_entry *entry = udp_table_find(&table, &address.any);
	unsigned count = 0;

	for (; entry; entry = udp_table_next(entry)) {
		const struct request *request = (const struct request *)entry;

		ck_assert(request >= requests && request < requests + ENTRIES);
		ck_assert(request->is_in);
		ck_assert_uint_eq(request->number, number);
		count++;
	}
	return count;
}

/* Beside a table that is nothing but a count for each address. */
START_TEST(test_against_counts)
{
	static struct request requests[ENTRIES];
	unsigned counts[ADDRESSES] = { 0 };

	memset(requests, 0, sizeof(requests));
	for (unsigned step = 0; step < STEPS; step++) {
		struct request *request = &requests[random_below(ENTRIES)];
		unsigned number = random_below(ADDRESSES);

		if (request->is_in) {
			udp_table_remove(&request->entry);
			request->is_in = false;
			counts[request->number]--;
		} else {
			request->number = number;
			request->address = address_of(number);
			request->is_in = true;
			udp_table_add(&table, &request->entry, &request->address.any);
			counts[number]++;
		}
		number = random_below(ADDRESSES);
		ck_assert_uint_eq(found(requests, number), counts[number]);
	}
}
END_TEST

/* One that was never added, and one that is removed twice. */
START_TEST(test_remove_what_is_not_in)
{
	struct request request = { .number = 1, .address = address_of(1) };

	udp_table_remove(&request.entry);
	udp_table_add(&table, &request.entry, &request.address.any);
	udp_table_remove(&request.entry);
	udp_table_remove(&request.entry);
	ck_assert_ptr_null(udp_table_find(&table, &request.address.any));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("udp_table");
	TCase *tcase = tcase_create("table");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_against_counts);
	tcase_add_test(tcase, test_remove_what_is_not_in);
	suite_add_tcase(suite, tcase);
	return suite;
}
