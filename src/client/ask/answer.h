/* SPDX-License-Identifier: MIT */
/*
 * What a client believes. Any program may answer in the server's place: a line is taken only if it
 * is short and complete, and what is not printable in it is escaped, so that nothing it holds can
 * act on a terminal or fill a table.
 *
 * All of this is pure and thread-safe.
 */
#ifndef RUPTIME_CLIENT_ASK_ANSWER_H
#define RUPTIME_CLIENT_ASK_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"
#include "common/text.h"

#define ANSWER_TEXT_BYTES (TEXT_ESCAPED_BYTES * PROTOCOL_TRUSTED_LINE_MAX_BYTES + 1)

/* Both texts are escaped as in text_escape(). */
struct answer {
	/* With its end, "\n" or "\r\n"; "": none, or the server has written it to a descriptor. */
	char line[ANSWER_TEXT_BYTES];
	char reason[ANSWER_TEXT_BYTES];	/* why there is no line, without '\n' */
	int error;			/* errno, if this machine is the reason; else 0 */
	uint64_t rtt_ns;		/* from the request to the line's end */
};

/*
 * Look at the first LEN bytes of a stream that ought to be one line.
 * Returns the line's length with its '\n' if that is all there is, 0 as long as more is needed, or
 * -1 with *WHY, a constant, if these bytes can never become such a line.
 */
ssize_t answer_scan(const char *text, size_t len, const char **why);

/*
 * Fill ANSWER from a line that answer_scan() has passed, or from the LEN bytes of a datagram,
 * where the '\n' at the end may be missing.
 * Returns 0 with the line, or -1 with the reason: what the server says behind "error: ", or, for a
 * datagram, what is wrong with it.
 */
int answer_take_line(struct answer *answer, const char *line, size_t len);
int answer_take_datagram(struct answer *answer, const char *text, size_t len);

/* There is no answer, because of WHY. */
void answer_fail(struct answer *answer, const char *why);

#endif
