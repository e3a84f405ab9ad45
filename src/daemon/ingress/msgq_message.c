/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/msgq_message.h"

#include <stdbool.h>
#include <string.h>

#include "common/text.h"

static const char word[] = "uptime ";

int32_t msgq_message_parse_request(const char *text, size_t len)
{
	const size_t word_len = sizeof(word) - 1;
	int64_t type = 0;

	if (len > 0 && text[len - 1] == '\0') {
		len--;
	}
	if (len > 0 && text[len - 1] == '\n') {
		len--;
	}
	if (len <= word_len || memcmp(text, word, word_len) != 0) {
		return 0;
	}
	for (size_t i = word_len; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return 0;
		}
		type = 10 * type + (text[i] - '0');
		if (type > INT32_MAX) {
			return 0;
		}
	}
	return (int32_t)type;
}

void msgq_message_show(const char *text, size_t len, char *buf)
{
	if (len > 0 && text[len - 1] == '\0') {
		len--;
	}
	text_escape_bytes(buf, MESSAGE_SHOWN_BYTES(len), text, len);
}
