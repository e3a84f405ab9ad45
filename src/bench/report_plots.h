/* SPDX-License-Identifier: MIT */
/*
 * The plots of the page of HTML, each a figure of its own.
 */
#ifndef RUPTIME_BENCH_REPORT_PLOTS_H
#define RUPTIME_BENCH_REPORT_PLOTS_H

#include <stdio.h>

#include "bench/report.h"

/* Throughput and the worst latency, by time. */
void report_plot_over_time(const struct result *result, FILE *out);

/* Latency by percentile: of both sides, or corrected and not. */
void report_plot_percentiles(const struct report *report, FILE *out);

/* --vs: the figure of each round. */
void report_plot_rounds(const struct comparison *comparison, FILE *out);

/* --find-max: the 99th percentile at each rate. */
void report_plot_tries(const struct find_max *find, FILE *out);

/* --ramp: latency by rate, with the knee. */
void report_plot_ramp(const struct ramp *ramp, FILE *out);

#endif
