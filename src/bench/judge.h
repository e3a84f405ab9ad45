/* SPDX-License-Identifier: MIT */
/*
 * Is this an answer? Pure, thread-safe.
 */
#ifndef RUPTIME_BENCH_JUDGE_H
#define RUPTIME_BENCH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/outcome.h"

/* What is longer is bad. */
#define JUDGE_MAX_BYTES 65536

/*
 * Judge the LEN bytes that came: text without control characters but those that end and indent
 * lines, EXPECT (NULL: anything) in it, and a newline at its end unless FRAMED, that is, unless the
 * transport itself marks the end, as a datagram does.
 */
enum outcome judge_answer(const char *text, size_t len, bool framed, const char *expect);

/*
 * How many lines too many there are. Where an answer is all that comes until the end, a server that
 * answers twice shows so.
 */
unsigned judge_surplus_lines(const char *text, size_t len);

#endif
