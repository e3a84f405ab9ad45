/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <math.h>
#include <stdint.h>

#include "bench/pacer.h"
#include "common/clock.h"
#include "unit/random.h"

#define START_NS (1000 * CLOCK_S)

START_TEST(test_constant_does_not_drift)
{
	const double rates[] = { 1, 3, 7, 200, 999, 12345, 1000000 };

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct pacer pacer;

		pacer_init_constant(&pacer, rates[i], START_NS, 0);
		for (uint64_t n = 0; n < 100000; n++) {
			double exact_ns = (double)n * 1e9 / rates[i];

			if (fabs((double)(pacer.due_ns - START_NS) - exact_ns) > 1.5) {
				ck_abort_msg("request %ju at %g/s", (uintmax_t)n, rates[i]);
			}
			pacer_step(&pacer);
		}
	}
}
END_TEST

START_TEST(test_phases_interleave)
{
	struct pacer halves[2];

	pacer_init_constant(&halves[0], 500, START_NS, 0);
	pacer_init_constant(&halves[1], 500, START_NS, 0.5);
	for (uint64_t n = 0; n < 10000; n++) {
		ck_assert(halves[n % 2].due_ns == START_NS + n * CLOCK_MS);
		pacer_step(&halves[n % 2]);
	}
}
END_TEST

/* Of exponential gaps the mean equals the deviation, and 1/e of them are longer than the mean. */
START_TEST(test_poisson_gaps)
{
	const unsigned count = 200000;
	const double mean_ns = 1e5;
	struct pacer pacer;
	uint64_t last_ns = START_NS;
	double sum = 0;
	double squares = 0;
	unsigned longer = 0;

	random_init();
	pacer_init_poisson(&pacer, 1e9 / mean_ns, START_NS, random_next());
	for (unsigned i = 0; i < count; i++) {
		double gap_ns = (double)(pacer.due_ns - last_ns);

		if (pacer.due_ns < last_ns) {
			ck_abort_msg("request %u is due before its predecessor", i);
		}
		sum += gap_ns;
		squares += gap_ns * gap_ns;
		longer += gap_ns > mean_ns;
		last_ns = pacer.due_ns;
		pacer_step(&pacer);
	}
	/* Five standard errors and more. */
	ck_assert_double_eq_tol(sum / count / mean_ns, 1, 0.012);
	ck_assert_double_eq_tol(sqrt(squares / count - pow(sum / count, 2)) / mean_ns, 1, 0.02);
	ck_assert_double_eq_tol((double)longer / count, exp(-1), 0.006);
}
END_TEST

START_TEST(test_seed_decides)
{
	struct pacer a, b, c;

	pacer_init_poisson(&a, 1000, START_NS, 1);
	pacer_init_poisson(&b, 1000, START_NS, 1);
	pacer_init_poisson(&c, 1000, START_NS, 2);
	ck_assert(a.due_ns == b.due_ns && a.due_ns != c.due_ns);
}
END_TEST

/* Just as many as the rate says come in the warm-up and in the rest, at random places. */
START_TEST(test_counted)
{
	struct pacer pacer;
	double sum_s = 0;
	unsigned warm = 0;
	unsigned measured = 0;

	random_init();
	pacer_init_counted(&pacer, 2000, START_NS, random_next(), CLOCK_S / 2, 10 * CLOCK_S);
	for (uint64_t last_ns = START_NS; pacer.due_ns != CLOCK_NEVER; pacer_step(&pacer)) {
		ck_assert(pacer.due_ns >= last_ns);
		last_ns = pacer.due_ns;
		warm += pacer.due_ns < START_NS + CLOCK_S / 2;
		measured += pacer.due_ns >= START_NS + CLOCK_S / 2 &&
			pacer.due_ns < START_NS + CLOCK_S / 2 + 10 * CLOCK_S;
		sum_s += (double)(pacer.due_ns - START_NS) / CLOCK_S;
	}
	ck_assert_msg(warm == 1000 && measured == 20000, "%u and %u", warm, measured);
	/* Uniform: six standard deviations of the mean. */
	ck_assert_double_eq_tol(sum_s / 21000, 5.25, 6 * 10.5 / sqrt(12 * 21000));
}
END_TEST

START_TEST(test_skip)
{
	struct pacer pacer;
	uint64_t few;

	pacer_init_constant(&pacer, 1000, START_NS, 0);
	ck_assert(pacer_skip(&pacer, START_NS) == 0);
	ck_assert(pacer_skip(&pacer, START_NS + 5 * CLOCK_MS) == 5);
	ck_assert(pacer.due_ns == START_NS + 5 * CLOCK_MS);
	/* Of very many it tells the number at once, nearly. */
	pacer_init_poisson(&pacer, 1e8, START_NS, 1);
	few = pacer_skip(&pacer, START_NS + 1000 * CLOCK_S);
	ck_assert(few > 99900000000ull && few < 100100000000ull);
	ck_assert(pacer.due_ns >= START_NS + 1000 * CLOCK_S);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("pacer");
	TCase *tcase = tcase_create("pacer");

	tcase_add_test(tcase, test_constant_does_not_drift);
	tcase_add_test(tcase, test_phases_interleave);
	tcase_add_test(tcase, test_poisson_gaps);
	tcase_add_test(tcase, test_seed_decides);
	tcase_add_test(tcase, test_counted);
	tcase_add_test(tcase, test_skip);
	suite_add_tcase(suite, tcase);
	return suite;
}
