/* SPDX-License-Identifier: MIT */
#include "client/ask/answer.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES PROTOCOL_TRUSTED_LINE_MAX_BYTES

static ssize_t refuse(const char **why, const char *reason)
{
	*why = reason;
	return -1;
}

/* The length of what stands before the end of a line, which is "\n" or "\r\n". */
static size_t content_bytes(const char *line, size_t len)
{
	size_t content = len - 1;

	return content && line[content - 1] == '\r' ? content - 1 : content;
}

ssize_t answer_scan(const char *text, size_t len, const char **why)
{
	size_t seen = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
	const char *end = seen ? memchr(text, '\n', seen) : NULL;
	size_t line_len;

	if (!end) {
		return seen < LINE_MAX_BYTES ? 0 : refuse(why, "line longer than 512 bytes");
	}
	line_len = (size_t)(end - text) + 1;
	if (!content_bytes(text, line_len)) {
		return refuse(why, "empty line");
	}
	if (line_len < len) {
		return refuse(why, "more than one line");
	}
	return (ssize_t)len;
}

int answer_take_line(struct answer *answer, const char *line, size_t len)
{
	const size_t prefix = strlen(PROTOCOL_ERROR_PREFIX);
	const size_t content = content_bytes(line, len);
	size_t used;

	if (len > prefix && memcmp(line, PROTOCOL_ERROR_PREFIX, prefix) == 0) {
		answer->line[0] = '\0';
		text_escape(answer->reason, sizeof(answer->reason), line + prefix,
			content > prefix ? content - prefix : 0);
		if (!answer->reason[0]) {
			answer_fail(answer, "the server failed and gave no reason");
		}
		return -1;
	}
	used = text_escape(answer->line, sizeof(answer->line), line, content);
	memcpy(answer->line + used, line + content, len - content);
	answer->line[used + len - content] = '\0';
	answer->reason[0] = '\0';
	return 0;
}

int answer_take_datagram(struct answer *answer, const char *text, size_t len)
{
	char line[LINE_MAX_BYTES];
	const char *why = "no line";

	if (!len || len > sizeof(line)) {
		answer_fail(answer, why);
		return -1;
	}
	memcpy(line, text, len);
	if (line[len - 1] != '\n' && len < sizeof(line)) {
		line[len++] = '\n';
	}
	if (answer_scan(line, len, &why) <= 0) {
		answer_fail(answer, why);
		return -1;
	}
	return answer_take_line(answer, line, len);
}

void answer_fail(struct answer *answer, const char *why)
{
	answer->line[0] = '\0';
	answer->error = 0;
	snprintf(answer->reason, sizeof(answer->reason), "%s", why);
}
