/* SPDX-License-Identifier: MIT */
/*
 * What the text of an XSI message means, and how it is shown. Pure and thread-safe.
 */
#ifndef RUPTIME_DAEMON_INGRESS_MSGQ_MESSAGE_H
#define RUPTIME_DAEMON_INGRESS_MSGQ_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

/*
 * "uptime T", with T from 1 to 2^31-1 in decimal: returns T. A NUL or a line feed at the end, as
 * C programs and shells leave them, is allowed. Anything else: returns 0.
 */
int32_t msgq_message_parse_request(const char *text, size_t len);

/*
 * Write TEXT into BUF as one line's worth of printable ASCII: other bytes become \xNN, and a NUL
 * at the end is left out. BUF has room for MESSAGE_SHOWN_BYTES(LEN).
 */
#define MESSAGE_SHOWN_BYTES(len) (TEXT_ESCAPED_BYTES * (len) + 1)
void msgq_message_show(const char *text, size_t len, char *buf);

#endif
