/* SPDX-License-Identifier: MIT */
/*
 * What the stress programs share: TAP, a scale, a seed, and a watchdog.
 *
 *	stress_X [SCALE [SEED]]
 *
 * SCALE multiplies the amount of work (default: RUPTIME_STRESS_SCALE, or 1); SEED repeats the
 * choices, though not the scheduler's, of a run that printed it.
 */
#ifndef RUPTIME_TESTS_STRESS_H
#define RUPTIME_TESTS_STRESS_H

#include <stdbool.h>

/* Read the command line, print the seed, and let nothing take longer than LIMIT_S times SCALE. */
void stress_begin(int argc, char **argv, unsigned limit_s);

/* COUNT for a scale of 1, scaled, and divided by what the build is slower. */
unsigned stress_amount(unsigned count);

/* Report one case. */
void stress_case(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print the plan. Returns main's status. */
int stress_end(void);

#endif
