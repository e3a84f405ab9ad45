/* SPDX-License-Identifier: MIT */
/*
 * What travels in datagrams, and what counts as a line. doc/protocol.md is the same for people.
 *
 *	request		one byte of any value, or
 *			"RUq1" nonce[8] zero...		16 to 512 bytes in all
 *	answer		the line, or
 *			"RUr1" nonce[8] line		only if not longer than its request
 *
 * A line holds printable characters and ends in '\n'. So an answer is never a valid request: it
 * is longer than a byte, and an extended request has zero bytes where a line would have text.
 *
 * Parsers are pure, borrow their input and read exactly LEN bytes of it. Thread-safe.
 */
#ifndef RUPTIME_COMMON_PROTOCOL_H
#define RUPTIME_COMMON_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_NONCE_BYTES	     8
#define PROTOCOL_REQUEST_HEADER_BYTES (4 + PROTOCOL_NONCE_BYTES)
#define PROTOCOL_ANSWER_HEADER_BYTES (4 + PROTOCOL_NONCE_BYTES)
#define PROTOCOL_EXTENDED_MIN_BYTES  16
#define PROTOCOL_EXTENDED_MAX_BYTES  512

/* The longest line a server sends, its '\n' included. */
#define PROTOCOL_LINE_MAX_BYTES 4096

/* The longest line a client believes, its '\n' included. */
#define PROTOCOL_TRUSTED_LINE_MAX_BYTES 512

/* Replies to requests in the XSI queue KEY are fetched from the queue KEY | this. */
#define PROTOCOL_REPLY_QUEUE_BIT 0x40000000u

/* In front of the reason a stream client gets instead of a line. */
#define PROTOCOL_ERROR_PREFIX "error: "

enum protocol_request_kind {
	PROTOCOL_MALFORMED,
	PROTOCOL_PLAIN,		/* one byte */
	PROTOCOL_EXTENDED,
};

struct protocol_request {
	enum protocol_request_kind kind;
	uint8_t nonce[PROTOCOL_NONCE_BYTES];	/* extended only */
};

void protocol_parse_request(const void *datagram, size_t len, struct protocol_request *request);

/* Write an extended request of SIZE bytes, within the limits above. */
void protocol_write_request(void *datagram, size_t size, const uint8_t *nonce);

/* Write "RUq1" and the nonce, PROTOCOL_REQUEST_HEADER_BYTES: a request but for its zeros. */
void protocol_write_request_header(void *header, const uint8_t *nonce);

/* Write "RUr1" and the nonce: PROTOCOL_ANSWER_HEADER_BYTES. */
void protocol_write_answer_header(void *header, const uint8_t *nonce);

/*
 * The line in an answer to an extended request with that NONCE: a pointer into DATAGRAM with its
 * length in *LINE_LEN, or NULL if it is none.
 */
const char *protocol_parse_answer(const void *datagram, size_t len, const uint8_t *nonce,
	size_t *line_len);

/* Is this an answer to an extended request, whatever its nonce? Then it is never a plain line. */
bool protocol_is_answer(const void *datagram, size_t len);

/* May these LEN bytes, without '\n', be shown: not empty, all of them printable ASCII? */
bool protocol_is_printable(const char *text, size_t len);

#endif
