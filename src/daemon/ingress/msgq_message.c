/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/msgq_message.h"

#include <stdbool.h>
#include <string.h>

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
	static const char digits[] = "0123456789abcdef";

	if (len > 0 && text[len - 1] == '\0') {
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c < 0x7f) {
			*buf++ = (char)c;
		} else {
			*buf++ = '\\';
			*buf++ = 'x';
			*buf++ = digits[c >> 4];
			*buf++ = digits[c & 15];
		}
	}
	*buf = '\0';
}
