/* SPDX-License-Identifier: MIT */
#include "client/answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES PROTOCOL_TRUSTED_LINE_MAX_BYTES

static ssize_t refuse(const char **why, const char *reason)
{
	*why = reason;
	return -1;
}

ssize_t answer_scan(const char *text, size_t len, const char **why)
{
	size_t seen = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
	const char *end = seen ? memchr(text, '\n', seen) : NULL;
	size_t shown = end ? (size_t)(end - text) : seen;

	if (shown && !protocol_is_printable(text, shown)) {
		return refuse(why, "unprintable answer");
	}
	if (!end) {
		return seen < LINE_MAX_BYTES ? 0 : refuse(why, "line longer than 512 bytes");
	}
	if (!shown) {
		return refuse(why, "empty line");
	}
	if (shown + 1 < len) {
		return refuse(why, "more than one line");
	}
	return (ssize_t)len;
}

int answer_take_line(struct answer *answer, const char *line, size_t len)
{
	const size_t prefix = strlen(PROTOCOL_ERROR_PREFIX);

	if (len > prefix && memcmp(line, PROTOCOL_ERROR_PREFIX, prefix) == 0) {
		answer->line[0] = '\0';
		snprintf(answer->reason, sizeof(answer->reason), "%.*s", (int)(len - prefix - 1),
			line + prefix);
		if (!answer->reason[0]) {
			answer_fail(answer, "the server failed and gave no reason");
		}
		return -1;
	}
	memcpy(answer->line, line, len);
	answer->line[len] = '\0';
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
	snprintf(answer->reason, sizeof(answer->reason), "%s", why);
}
