/* SPDX-License-Identifier: MIT */
#include "common/protocol.h"

#include <string.h>

#define MAGIC_BYTES 4

static const char request_magic[MAGIC_BYTES] = { 'R', 'U', 'q', '1' };
static const char answer_magic[MAGIC_BYTES] = { 'R', 'U', 'r', '1' };

static bool all_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++) {
		any |= bytes[i];
	}
	return any == 0;
}

void protocol_parse_request(const void *datagram, size_t len, struct protocol_request *request)
{
	const uint8_t *bytes = datagram;
	const size_t used = MAGIC_BYTES + PROTOCOL_NONCE_BYTES;

	*request = (struct protocol_request){ .kind = PROTOCOL_MALFORMED };
	if (len == 1) {
		request->kind = PROTOCOL_PLAIN;
		return;
	}
	if (len < PROTOCOL_EXTENDED_MIN_BYTES || len > PROTOCOL_EXTENDED_MAX_BYTES ||
	    memcmp(bytes, request_magic, MAGIC_BYTES) != 0 || !all_zero(bytes + used, len - used)) {
		return;
	}
	request->kind = PROTOCOL_EXTENDED;
	memcpy(request->nonce, bytes + MAGIC_BYTES, PROTOCOL_NONCE_BYTES);
}

void protocol_write_request(void *datagram, size_t size, const uint8_t *nonce)
{
	memset(datagram, 0, size);
	protocol_write_request_header(datagram, nonce);
}

void protocol_write_request_header(void *header, const uint8_t *nonce)
{
	uint8_t *bytes = header;

	memcpy(bytes, request_magic, MAGIC_BYTES);
	memcpy(bytes + MAGIC_BYTES, nonce, PROTOCOL_NONCE_BYTES);
}

void protocol_write_answer_header(void *header, const uint8_t *nonce)
{
	uint8_t *bytes = header;

	memcpy(bytes, answer_magic, MAGIC_BYTES);
	memcpy(bytes + MAGIC_BYTES, nonce, PROTOCOL_NONCE_BYTES);
}

bool protocol_is_answer(const void *datagram, size_t len)
{
	return len >= MAGIC_BYTES && memcmp(datagram, answer_magic, MAGIC_BYTES) == 0;
}

const char *protocol_parse_answer(const void *datagram, size_t len, const uint8_t *nonce,
	size_t *line_len)
{
	const char *bytes = datagram;

	if (len <= PROTOCOL_ANSWER_HEADER_BYTES || !protocol_is_answer(datagram, len) ||
	    memcmp(bytes + MAGIC_BYTES, nonce, PROTOCOL_NONCE_BYTES) != 0) {
		return NULL;
	}
	*line_len = len - PROTOCOL_ANSWER_HEADER_BYTES;
	return bytes + PROTOCOL_ANSWER_HEADER_BYTES;
}

bool protocol_is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		/* Plain char has a sign on some machines and none on others. */
		unsigned char byte = (unsigned char)text[i];

		if (byte < 0x20 || byte >= 0x7f) {
			return false;
		}
	}
	return len > 0;
}
