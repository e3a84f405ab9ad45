/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "common/siphash.h"
#include "unit/guard.h"

/*
 * SipHash-1-3 of the bytes 0, 1, ... LEN-1 under the key 0, 1, ... 15, as the reference
 * implementation has it (github.com/veorq/SipHash): every tail, and more than one block.
 */
static const struct {
	size_t len;
	uint64_t hash;
} vectors[] = {
	{ 0, 0xabac0158050fc4dc },
	{ 1, 0xc9f49bf37d57ca93 },
	{ 2, 0x82cb9b024dc7d44d },
	{ 3, 0x8bf80ab8e7ddf7fb },
	{ 4, 0xcf75576088d38328 },
	{ 5, 0xdef9d52f49533b67 },
	{ 6, 0xc50d2b50c59f22a7 },
	{ 7, 0xd3927d989bb11140 },
	{ 8, 0x369095118d299a8e },
	{ 15, 0xd320d86d2a519956 },
	{ 16, 0xcc4fdd1a7d908b66 },
	{ 20, 0xc0dc2f46a6cce040 },
	{ 63, 0x9d199062b7bbb3a8 },
};

START_TEST(test_vectors)
{
	const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	uint8_t bytes[64];
	struct guard guard;

	guard_init(&guard);
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)i;
	}
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = vectors[i].len;

		ck_assert_uint_eq(siphash(&key, guard_at_end(&guard, bytes, len), len),
			vectors[i].hash);
		ck_assert_uint_eq(siphash(&key, guard_at_start(&guard, bytes, len), len),
			vectors[i].hash);
	}
	guard_fini(&guard);
}
END_TEST

START_TEST(test_keys_differ)
{
	struct siphash_key one;
	struct siphash_key other;

	ck_assert_int_eq(siphash_key_init(&one), 0);
	ck_assert_int_eq(siphash_key_init(&other), 0);
	ck_assert_uint_ne(siphash(&one, "", 0), siphash(&other, "", 0));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("siphash");
	TCase *tcase = tcase_create("siphash");

	tcase_add_test(tcase, test_vectors);
	tcase_add_test(tcase, test_keys_differ);
	suite_add_tcase(suite, tcase);
	return suite;
}
