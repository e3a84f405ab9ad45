/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/protocol.h"

/* A request that was taken is the one that we would write. */
static void check_extended(const uint8_t *data, size_t len, const struct protocol_request *request)
{
	uint8_t same[PROTOCOL_EXTENDED_MAX_BYTES];

	assert(len >= PROTOCOL_EXTENDED_MIN_BYTES && len <= sizeof(same));
	protocol_write_request(same, len, request->nonce);
	assert(memcmp(same, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t nonce[PROTOCOL_NONCE_BYTES] = { 'n', 'o', 'n', 'c', 'e', 'n',
		's', 'e' };
	struct protocol_request request;
	const char *line;
	size_t line_len;

	protocol_parse_request(data, len, &request);
	assert((request.kind == PROTOCOL_PLAIN) == (len == 1));
	if (request.kind == PROTOCOL_EXTENDED) {
		check_extended(data, len, &request);
	}
	line = protocol_parse_answer(data, len, nonce, &line_len);
	if (line) {
		assert(request.kind == PROTOCOL_MALFORMED);
		assert(line_len > 0 && line + line_len == (const char *)data + len);
		(void)protocol_is_printable(line, line_len);
	}
	return 0;
}
