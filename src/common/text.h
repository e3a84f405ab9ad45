/* SPDX-License-Identifier: MIT */
/*
 * Text of unknown origin that is to be shown. Thread-safe, no locale.
 */
#ifndef RUPTIME_COMMON_TEXT_H
#define RUPTIME_COMMON_TEXT_H

#include <stddef.h>

/* The most bytes that one byte of input becomes. */
#define TEXT_ESCAPED_BYTES 4

/*
 * Copy the LEN bytes at TEXT to BUF, with a NUL behind them. Printable ASCII and printable UTF-8
 * stay as they are; each other byte becomes "\xHH". Not printable are control characters (C0, DEL,
 * C1), separators of lines and paragraphs, the marks that change the direction of text, and what
 * is no UTF-8 (RFC 3629): nothing that is left acts on a terminal or misplaces what stands beside.
 *
 * BUF has SIZE bytes, at least 1; what does not fit is left out, by whole characters.
 * Returns the length without the NUL. TEXT_ESCAPED_BYTES * LEN + 1 bytes always suffice.
 */
size_t text_escape(char *buf, size_t size, const char *text, size_t len);

/* The same, but UTF-8 is escaped, too: for what need not be text at all. */
size_t text_escape_bytes(char *buf, size_t size, const char *text, size_t len);

/*
 * The length of the printable character at TEXT, of which LEN bytes (at least 1) can be read, or 0
 * if there is none.
 */
size_t text_printable_bytes(const char *text, size_t len);

#endif
