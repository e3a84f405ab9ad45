/* SPDX-License-Identifier: MIT */
#include "stress/stress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/process.h"
#include "unit/random.h"

static unsigned scale;
static unsigned cases;

void stress_begin(int argc, char **argv, unsigned limit_s)
{
	const char *given = argc > 1 ? argv[1] : getenv("RUPTIME_STRESS_SCALE");

	scale = given ? (unsigned)strtoul(given, NULL, 10) : 1;
	if (!scale) {
		scale = 1;
	}
	if (argc > 2) {
		setenv("RUPTIME_TEST_SEED", argv[2], 1);
	}
	random_init();
	/* Should it hang, it dies without its plan, and that is a failure. */
	alarm((unsigned)process_slow_ns(limit_s) * scale);
}

unsigned stress_amount(unsigned count)
{
	unsigned amount = (unsigned)(count * scale / process_slow_ns(1));

	return amount ? amount : 1;
}

void stress_case(bool ok, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", ok ? "" : "not ", ++cases);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int stress_end(void)
{
	printf("1..%u\n", cases);
	return 0;
}
