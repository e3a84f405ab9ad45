/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <string.h>

#include "common/protocol.h"
#include "unit/guard.h"
#include "unit/random.h"

#define LONGEST 600

static const uint8_t nonce[PROTOCOL_NONCE_BYTES] = { 1, 0, 255, '\n', 'R', 'U', 'q', '1' };

static struct guard guard;

static void set_up(void)
{
	random_init();
	guard_init(&guard);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

static struct protocol_request parse(const void *bytes, size_t len)
{
	struct protocol_request at_end;
	struct protocol_request at_start;

	protocol_parse_request(guard_at_end(&guard, bytes, len), len, &at_end);
	protocol_parse_request(guard_at_start(&guard, bytes, len), len, &at_start);
	ck_assert_int_eq(at_end.kind, at_start.kind);
	return at_end;
}

START_TEST(test_every_length)
{
	uint8_t datagram[LONGEST] = { 0 };

	protocol_write_request(datagram, sizeof(datagram), nonce);
	for (size_t len = 0; len <= LONGEST; len++) {
		struct protocol_request request = parse(datagram, len);
		enum protocol_request_kind expected = PROTOCOL_MALFORMED;

		if (len == 1) {
			expected = PROTOCOL_PLAIN;
		} else if (len >= 16 && len <= 512) {
			expected = PROTOCOL_EXTENDED;
			ck_assert_mem_eq(request.nonce, nonce, sizeof(nonce));
		}
		ck_assert_msg(request.kind == expected, "%zu bytes are of kind %d", len,
			(int)request.kind);
	}
}
END_TEST

START_TEST(test_any_one_byte)
{
	for (unsigned value = 0; value < 256; value++) {
		uint8_t byte = (uint8_t)value;

		ck_assert_int_eq(parse(&byte, 1).kind, PROTOCOL_PLAIN);
	}
}
END_TEST

/* Each byte of the magic and of the padding counts; those of the nonce may be anything. */
START_TEST(test_every_changed_byte)
{
	uint8_t datagram[PROTOCOL_EXTENDED_MAX_BYTES];

	protocol_write_request(datagram, sizeof(datagram), nonce);
	for (size_t i = 0; i < sizeof(datagram); i++) {
		bool in_nonce = i >= 4 && i < 12;
		uint8_t was = datagram[i];

		datagram[i] ^= (uint8_t)(1 + random_below(255));
		ck_assert_msg((parse(datagram, sizeof(datagram)).kind == PROTOCOL_EXTENDED) ==
				      in_nonce,
			"byte %zu as %u", i, datagram[i]);
		datagram[i] = was;
	}
}
END_TEST

/* The reflector's nightmare: nothing that we send may make a server answer. */
START_TEST(test_no_answer_is_a_request)
{
	for (unsigned round = 0; round < 20000; round++) {
		char answer[PROTOCOL_ANSWER_HEADER_BYTES + LONGEST];
		char *line = answer + PROTOCOL_ANSWER_HEADER_BYTES;
		size_t len = 1 + random_below(LONGEST - 1);
		uint8_t any_nonce[PROTOCOL_NONCE_BYTES];

		random_fill(any_nonce, sizeof(any_nonce));
		for (size_t i = 0; i < len; i++) {
			line[i] = (char)(0x20 + random_below(0x5f));
		}
		if (round % 2) {
			memcpy(line, "RUq1", len < 4 ? len : 4);
		}
		ck_assert(protocol_is_printable(line, len));
		line[len++] = '\n';
		ck_assert_int_eq(parse(line, len).kind, PROTOCOL_MALFORMED);
		protocol_write_answer_header(answer, any_nonce);
		ck_assert_int_eq(parse(answer, PROTOCOL_ANSWER_HEADER_BYTES + len).kind,
			PROTOCOL_MALFORMED);
	}
}
END_TEST

START_TEST(test_random_datagrams)
{
	uint8_t datagram[LONGEST];

	for (unsigned round = 0; round < 20000; round++) {
		size_t len = random_below(LONGEST + 1);

		random_fill(datagram, len);
		ck_assert_int_eq(parse(datagram, len).kind,
			len == 1 ? PROTOCOL_PLAIN : PROTOCOL_MALFORMED);
	}
}
END_TEST

START_TEST(test_answer)
{
	static const char line[] = " 12:00:00 up 1 min,  2 users,  load average: 0.01, 0.02\n";
	char answer[PROTOCOL_ANSWER_HEADER_BYTES + sizeof(line) - 1];

	protocol_write_answer_header(answer, nonce);
	memcpy(answer + PROTOCOL_ANSWER_HEADER_BYTES, line, sizeof(line) - 1);
	for (size_t len = 0; len <= sizeof(answer); len++) {
		const char *copy = guard_at_end(&guard, answer, len);
		size_t line_len = 0;
		const char *found = protocol_parse_answer(copy, len, nonce, &line_len);

		ck_assert_int_eq(protocol_is_answer(copy, len), len >= 4);
		if (len <= PROTOCOL_ANSWER_HEADER_BYTES) {
			ck_assert_ptr_null(found);
			continue;
		}
		ck_assert_ptr_eq(found, copy + PROTOCOL_ANSWER_HEADER_BYTES);
		ck_assert_uint_eq(line_len, len - PROTOCOL_ANSWER_HEADER_BYTES);
	}
	for (size_t i = 0; i < PROTOCOL_ANSWER_HEADER_BYTES; i++) {
		size_t line_len;

		answer[i] ^= 0x40;
		ck_assert_ptr_null(
			protocol_parse_answer(answer, sizeof(answer), nonce, &line_len));
		/* With another nonce it is an answer still, to another client. */
		ck_assert_int_eq(protocol_is_answer(answer, sizeof(answer)), i >= 4);
		answer[i] ^= 0x40;
	}
}
END_TEST

/* ASCII only, whether char has a sign on this machine or not. */
START_TEST(test_printable)
{
	for (unsigned value = 0; value < 256; value++) {
		char text[3] = { 'a', (char)value, 'b' };
		bool printable = value >= 0x20 && value < 0x7f;

		ck_assert_msg(protocol_is_printable(text, 3) == printable, "byte %u", value);
		ck_assert(protocol_is_printable(guard_at_end(&guard, text, 1), 1));
	}
	ck_assert(!protocol_is_printable(guard_at_end(&guard, "", 0), 0));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("protocol");
	TCase *tcase = tcase_create("protocol");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_every_length);
	tcase_add_test(tcase, test_any_one_byte);
	tcase_add_test(tcase, test_every_changed_byte);
	tcase_add_test(tcase, test_no_answer_is_a_request);
	tcase_add_test(tcase, test_random_datagrams);
	tcase_add_test(tcase, test_answer);
	tcase_add_test(tcase, test_printable);
	suite_add_tcase(suite, tcase);
	return suite;
}
