/* SPDX-License-Identifier: MIT */
/*
 * Where and with what a figure was measured: names and values for the reports.
 */
#ifndef RUPTIME_BENCH_ENVIRONMENT_H
#define RUPTIME_BENCH_ENVIRONMENT_H

#define ENVIRONMENT_FACTS 16

struct environment {
	unsigned count;
	struct {
		const char *name;	/* a constant, in snake_case */
		char value[1024];	/* printable UTF-8 */
	} facts[ENVIRONMENT_FACTS];
};

/* ARGC and ARGV are those of the program. What cannot be found out is left out. */
void environment_read(struct environment *environment, int argc, char **argv);

#endif
