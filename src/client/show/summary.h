/* SPDX-License-Identifier: MIT */
/*
 * How many hosts are down, for which reasons. One thread at a time.
 */
#ifndef RUPTIME_CLIENT_SHOW_SUMMARY_H
#define RUPTIME_CLIENT_SHOW_SUMMARY_H

#include "client/show/report.h"

#define SUMMARY_BYTES 4096

/*
 * "3 of 10 hosts are down: 2 timed out, 1 Connection refused", the most frequent reason first, in
 * BUF, of SUMMARY_BYTES; "" if none is down. Beyond the first few, reasons are counted together.
 */
void summary_format(const struct report *report, char *buf);

#endif
