/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Characters, from first to last, that are well-formed and not to be shown. */
static const struct {
	uint32_t first;
	uint32_t last;
} unprintable[] = {
	{ 0x0, 0x1f },
	{ 0x7f, 0x9f },
	{ 0xad, 0xad },		/* soft hyphen */
	{ 0x061c, 0x061c },	/* Arabic letter mark */
	{ 0x180e, 0x180e },	/* vowel separator, of no width */
	{ 0x200b, 0x200f },	/* spaces and joiners of no width, marks of direction */
	{ 0x2028, 0x202e },	/* line and paragraph separator, embeddings and overrides */
	{ 0x2060, 0x206f },	/* joiners and operators of no width, isolates */
	{ 0xd800, 0xdfff },	/* surrogates: no UTF-8 */
	{ 0xfeff, 0xfeff },	/* byte order mark */
	{ 0xfff9, 0xfffb },	/* interlinear annotation */
	{ 0xfffe, 0xffff },
	{ 0xe0000, 0xe007f },	/* tags */
};

static bool is_printable(uint32_t character)
{
	for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++) {
		if (character >= unprintable[i].first && character <= unprintable[i].last) {
			return false;
		}
	}
	return true;
}

/* How long the sequence is that begins with this byte, and the least character it may stand for. */
static size_t sequence_bytes(unsigned char first, uint32_t *bits, uint32_t *least)
{
	if (first < 0x80) {
		*bits = first;
		*least = 0;
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0) {
		*bits = first & 0x1f;
		*least = 0x80;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*bits = first & 0x0f;
		*least = 0x800;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf5) {
		*bits = first & 0x07;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t text_printable_bytes(const char *text, size_t len)
{
	uint32_t character;
	uint32_t least;
	size_t bytes = sequence_bytes((unsigned char)text[0], &character, &least);

	if (!bytes || bytes > len) {
		return 0;
	}
	for (size_t i = 1; i < bytes; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte & 0xc0) != 0x80) {
			return 0;
		}
		character = character << 6 | (byte & 0x3f);
	}
	if (character < least || character > 0x10ffff || !is_printable(character)) {
		return 0;
	}
	return bytes;
}

static size_t printable_ascii_bytes(const char *text, size_t len)
{
	(void)len;
	return *text >= ' ' && *text <= '~' ? 1 : 0;
}

/* How many bytes of printable ASCII the text begins with. */
static size_t ascii_run_bytes(const char *text, size_t len)
{
	size_t run = 0;

	while (run < len && text[run] >= ' ' && text[run] <= '~') {
		run++;
	}
	return run;
}

static size_t escape(char *buf, size_t size, const char *text, size_t len,
	size_t (*printable_bytes)(const char *text, size_t len))
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	while (len) {
		/* Most text is of these, and is copied at once. */
		size_t run = ascii_run_bytes(text, len < size - used - 1 ? len : size - used - 1);
		size_t bytes;
		size_t shown;

		memcpy(buf + used, text, run);
		used += run;
		text += run;
		len -= run;
		if (!len) {
			break;
		}
		bytes = printable_bytes(text, len);
		shown = bytes ? bytes : TEXT_ESCAPED_BYTES;

		if (shown >= size - used) {
			break;
		}
		if (bytes) {
			memcpy(buf + used, text, bytes);
		} else {
			unsigned char byte = (unsigned char)text[0];
			const char escape[] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };

			memcpy(buf + used, escape, sizeof(escape));
			bytes = 1;
		}
		used += shown;
		text += bytes;
		len -= bytes;
	}
	buf[used] = '\0';
	return used;
}

size_t text_escape(char *buf, size_t size, const char *text, size_t len)
{
	return escape(buf, size, text, len, text_printable_bytes);
}

size_t text_escape_bytes(char *buf, size_t size, const char *text, size_t len)
{
	return escape(buf, size, text, len, printable_ascii_bytes);
}
