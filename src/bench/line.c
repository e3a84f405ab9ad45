/* SPDX-License-Identifier: MIT */
#include "bench/line.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/judge.h"

#define READ_BYTES 512

int line_reserve(struct line *line, size_t len)
{
	size_t size = line->size ? line->size : READ_BYTES;
	char *text;

	while (size < line->len + len) {
		size *= 2;
	}
	if (size == line->size) {
		return 0;
	}
	text = realloc(line->text, size);
	if (!text) {
		return -1;
	}
	line->text = text;
	line->size = size;
	return 0;
}

enum outcome line_judge(const struct line *line, const char *expect, uint64_t *duplicate)
{
	enum outcome outcome = judge_answer(line->text, line->len, false, expect);

	if (outcome == OUTCOME_ANSWERED) {
		*duplicate += judge_surplus_lines(line->text, line->len);
	}
	return outcome;
}

void line_free(struct line *line)
{
	free(line->text);
	*line = (struct line){ 0 };
}

enum line_read line_read(struct line *line, int fd, bool hung_up)
{
	while (line->len <= JUDGE_MAX_BYTES) {
		ssize_t got;
		size_t room;

		if (line_reserve(line, READ_BYTES / 2) < 0) {
			return LINE_FAILED;
		}
		room = line->size - line->len;
		got = read(fd, line->text + line->len, room);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return errno == EAGAIN ? LINE_MORE : LINE_FAILED;
		}
		line->len += (size_t)got;
		if (got == 0 || (hung_up && (size_t)got < room)) {
			return LINE_END;
		}
		if (!hung_up && (size_t)got < room) {
			return LINE_MORE;
		}
	}
	return LINE_END;
}
