/* SPDX-License-Identifier: MIT */
/*
 * The style sheet of the HTML report: light and dark as the reader's system is, wide and narrow.
 */
#ifndef RUPTIME_BENCH_REPORT_STYLE_H
#define RUPTIME_BENCH_REPORT_STYLE_H

extern const char report_style[];

#endif
