/* SPDX-License-Identifier: MIT */
/*
 * Figures as people read them, in a buffer of the caller's. Thread-safe, no locale.
 */
#ifndef RUPTIME_BENCH_FIGURE_H
#define RUPTIME_BENCH_FIGURE_H

#include <stdint.h>

struct figure {
	char text[32];
};

/* "24,312" */
struct figure figure_count(uint64_t count);

/* A rate or another number of any size: "24,312", "97.3", "0.42". */
struct figure figure_number(double number);

/* Three or four digits with their unit: "812 ns", "41.2 us", "1.003 s". */
struct figure figure_duration(double ns);

#endif
