/* SPDX-License-Identifier: MIT */
#include "bench/judge.h"

#include <string.h>

#include "common/protocol.h"

static bool is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		/* Above 0x7f: UTF-8, whose well-formedness is not what is measured here. */
		if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f || c == 0xff) {
			return false;
		}
	}
	return true;
}

enum outcome judge_answer(const char *text, size_t len, bool framed, const char *expect)
{
	const size_t prefix_len = sizeof(PROTOCOL_ERROR_PREFIX) - 1;

	if (len == 0) {
		return framed ? OUTCOME_BAD_UNFINISHED : OUTCOME_ERROR_CLOSED;
	}
	if (len > JUDGE_MAX_BYTES) {
		return OUTCOME_BAD_TOO_LONG;
	}
	/* By the protocol this is no answer, whatever the options say of answers. */
	if (len >= prefix_len && memcmp(text, PROTOCOL_ERROR_PREFIX, prefix_len) == 0) {
		return OUTCOME_ERROR_SERVER;
	}
	if (!is_text(text, len)) {
		return OUTCOME_BAD_NOT_TEXT;
	}
	if (!framed && text[len - 1] != '\n') {
		return OUTCOME_BAD_UNFINISHED;
	}
	if (expect) {
		return memmem(text, len, expect, strlen(expect)) ? OUTCOME_ANSWERED :
			OUTCOME_BAD_UNEXPECTED;
	}
	return OUTCOME_ANSWERED;
}

unsigned judge_surplus_lines(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned lines = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		text++;
		lines++;
	}
	return lines > 1 ? lines - 1 : 0;
}
