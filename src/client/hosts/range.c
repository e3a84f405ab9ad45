/* SPDX-License-Identifier: MIT */
#include "client/hosts/range.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 9

struct expansion {
	range_take_fn *take;
	void *context;
	const char **why;
	unsigned brackets;		/* that are open */
	unsigned names;			/* so far */
	size_t used;			/* of NAME */
	char name[RANGE_NAME_MAX + 1];
};

struct span {
	const char *at;
	size_t len;
};

static int expand_rest(struct expansion *expansion, struct span rest);

static int refuse(struct expansion *expansion, const char *why)
{
	*expansion->why = why;
	return -1;
}

static int append(struct expansion *expansion, struct span text)
{
	if (text.len > RANGE_NAME_MAX - expansion->used) {
		return refuse(expansion, "the name is too long");
	}
	memcpy(expansion->name + expansion->used, text.at, text.len);
	expansion->used += text.len;
	return 0;
}

static int finish(struct expansion *expansion)
{
	if (++expansion->names > RANGE_NAMES_MAX) {
		return refuse(expansion, "the ranges stand for more than a million names");
	}
	expansion->name[expansion->used] = '\0';
	*expansion->why = NULL;
	return expansion->take(expansion->context, expansion->name, expansion->used);
}

/* The number at *TEXT, which is moved behind it. Returns its digits, or 0 if there is none. */
static size_t take_number(struct span *text, uint32_t *number)
{
	size_t digits = 0;

	*number = 0;
	while (digits < text->len && text->at[digits] >= '0' && text->at[digits] <= '9') {
		if (digits == DIGITS_MAX) {
			return 0;
		}
		*number = *number * 10 + (uint32_t)(text->at[digits] - '0');
		digits++;
	}
	text->at += digits;
	text->len -= digits;
	return digits;
}

/* "7" or "01-40" at the start of *LIST, which is moved behind it and its comma. */
static int take_item(struct expansion *expansion, struct span *list, uint32_t *first,
	uint32_t *last, size_t *width)
{
	*width = take_number(list, first);
	*last = *first;
	if (*width && list->len && list->at[0] == '-') {
		list->at++;
		list->len--;
		if (!take_number(list, last) || *last < *first) {
			*width = 0;
		}
	}
	if (!*width || (list->len && (list->at[0] != ',' || list->len == 1))) {
		return refuse(expansion, "the brackets hold no numbers, as in web[01-40,50]");
	}
	if (list->len) {
		list->at++;
		list->len--;
	}
	return 0;
}

static int expand_list(struct expansion *expansion, struct span list, struct span rest)
{
	const size_t used = expansion->used;

	do {
		uint32_t first;
		uint32_t last;
		size_t width;

		if (take_item(expansion, &list, &first, &last, &width) < 0) {
			return -1;
		}
		for (uint32_t number = first; number <= last; number++) {
			char digits[DIGITS_MAX + 1];
			int len = snprintf(digits, sizeof(digits), "%0*" PRIu32, (int)width,
				number);

			expansion->used = used;
			if (append(expansion, (struct span){ digits, (size_t)len }) < 0 ||
			    expand_rest(expansion, rest) < 0) {
				return -1;
			}
		}
	} while (list.len);
	return 0;
}

/* Append REST to the name, in all its variants. */
static int expand_rest(struct expansion *expansion, struct span rest)
{
	const char *open = rest.len ? memchr(rest.at, '[', rest.len) : NULL;
	const char *end = rest.at + rest.len;
	const char *close;
	struct span before;
	struct span behind;
	struct span list;
	int result;

	if (!open) {
		return append(expansion, rest) < 0 ? -1 : finish(expansion);
	}
	close = memchr(open, ']', (size_t)(end - open));
	if (!close) {
		return refuse(expansion, "a bracket is not closed");
	}
	list = (struct span){ open + 1, (size_t)(close - open - 1) };
	behind = (struct span){ close + 1, (size_t)(end - close - 1) };
	if (memchr(list.at, ':', list.len)) {
		before = (struct span){ rest.at, (size_t)(close + 1 - rest.at) };
		return append(expansion, before) < 0 ? -1 : expand_rest(expansion, behind);
	}
	if (expansion->brackets == RANGE_BRACKETS_MAX) {
		return refuse(expansion, "there are too many brackets");
	}
	before = (struct span){ rest.at, (size_t)(open - rest.at) };
	if (append(expansion, before) < 0) {
		return -1;
	}
	expansion->brackets++;
	result = expand_list(expansion, list, behind);
	expansion->brackets--;
	return result;
}

int range_expand(const char *text, size_t len, range_take_fn *take, void *context,
	const char **why)
{
	struct expansion expansion = { .take = take, .context = context, .why = why };

	*why = NULL;
	return expand_rest(&expansion, (struct span){ text, len });
}
