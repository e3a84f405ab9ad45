/* SPDX-License-Identifier: MIT */
/*
 * An answer that comes in pieces. All zero is an empty one.
 */
#ifndef RUPTIME_BENCH_LINE_H
#define RUPTIME_BENCH_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/outcome.h"

struct line {
	char *text;
	size_t len;
	size_t size;
};

/* Make room for another LEN bytes behind LINE->text + LINE->len. Returns 0, or -1 with ENOMEM. */
int line_reserve(struct line *line, size_t len);

/* Judge the whole line, as judge_answer() does, and add the lines too many to *DUPLICATE. */
enum outcome line_judge(const struct line *line, const char *expect, uint64_t *duplicate);

void line_free(struct line *line);

/* Give back the memory of a long answer. Its text may be gone, or not; the next one starts anew. */
void line_shrink(struct line *line);

enum line_read {
	LINE_MORE,	/* nothing more for now */
	LINE_END,
	LINE_FAILED,	/* errno */
};

/*
 * Read from the non-blocking FD until there is nothing more for now, the
 * end, or more than JUDGE_MAX_BYTES (LINE_END too). HUNG_UP: the other side is known to have sent
 * its last byte, so that a short read is the end and saves a call that says so.
 */
enum line_read line_read(struct line *line, int fd, bool hung_up);

/*
 * The same for a socket whose bytes come in records, of which several may make an answer. RECORD is
 * memory of LINE_RECORD_BYTES for the record under way.
 */
#define LINE_RECORD_BYTES (65536 + 1)
enum line_read line_read_records(struct line *line, int fd, char *record);

#endif
