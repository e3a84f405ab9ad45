/* SPDX-License-Identifier: MIT */
#include "bench/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

void line_shrink(struct line *line)
{
	if (line->size > READ_BYTES) {
		line_free(line);
	}
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

enum line_read line_read_records(struct line *line, int fd, char *record)
{
	/* A record that is longer than it may be is cut; what is left of it shows that it was. */
	_Static_assert(LINE_RECORD_BYTES > JUDGE_MAX_BYTES, "the cut would not show");

	while (line->len <= JUDGE_MAX_BYTES) {
		ssize_t got = recv(fd, record, LINE_RECORD_BYTES, 0);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return errno == EAGAIN ? LINE_MORE : LINE_FAILED;
		}
		if (got == 0) {
			return LINE_END;
		}
		if (line_reserve(line, (size_t)got) < 0) {
			return LINE_FAILED;
		}
		memcpy(line->text + line->len, record, (size_t)got);
		line->len += (size_t)got;
	}
	return LINE_END;
}
