/* SPDX-License-Identifier: MIT */
#include "client/show/summary.h"

#include <stdlib.h>
#include <string.h>

#define REASONS_MAX  8
#define REASON_CHARS 120

struct reason {
	const char *text;
	size_t count;
};

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int compare_counts(const void *left, const void *right)
{
	const struct reason *a = left;
	const struct reason *b = right;

	if (a->count != b->count) {
		return a->count < b->count ? 1 : -1;
	}
	return strcmp(a->text, b->text);
}

/* All reasons, sorted; for free(). NULL if there is no memory. */
static const char **collect(const struct report *report, size_t *count)
{
	const char **texts = reallocarray(NULL, report->down + 1, sizeof(*texts));

	*count = 0;
	for (size_t i = 0; texts && i < report->targets->count; i++) {
		if (report->rows[i].state == REPORT_DOWN && *count < report->down) {
			const char *reason = report->rows[i].reason;

			texts[(*count)++] = reason ? reason : "unknown";
		}
	}
	if (texts) {
		qsort(texts, *count, sizeof(*texts), compare_texts);
	}
	return texts;
}

/* Count what is the same; the sorted TEXTS become REASONS. */
static size_t fold(const char **texts, size_t count, struct reason *reasons)
{
	size_t folded = 0;

	for (size_t i = 0; i < count; i++) {
		if (folded && strcmp(reasons[folded - 1].text, texts[i]) == 0) {
			reasons[folded - 1].count++;
		} else {
			reasons[folded++] = (struct reason){ texts[i], 1 };
		}
	}
	qsort(reasons, folded, sizeof(*reasons), compare_counts);
	return folded;
}

static void format(const struct report *report, const struct reason *reasons, size_t count,
	char *buf)
{
	size_t others = 0;
	int len = snprintf(buf, SUMMARY_BYTES, "%zu of %zu hosts %s down:", report->down,
		report->targets->count, report->down == 1 ? "is" : "are");

	for (size_t i = 0; i < count; i++) {
		if (i < REASONS_MAX) {
			len += snprintf(buf + len, SUMMARY_BYTES - (size_t)len, "%s %zu %.*s",
				i ? "," : "", reasons[i].count, REASON_CHARS, reasons[i].text);
		} else {
			others += reasons[i].count;
		}
	}
	if (others) {
		snprintf(buf + len, SUMMARY_BYTES - (size_t)len, ", %zu for other reasons", others);
	}
}

void summary_format(const struct report *report, char *buf)
{
	size_t count;
	const char **texts;
	struct reason *reasons;

	buf[0] = '\0';
	if (!report->down) {
		return;
	}
	texts = collect(report, &count);
	reasons = reallocarray(NULL, report->down, sizeof(*reasons));
	if (texts && reasons) {
		format(report, reasons, fold(texts, count, reasons), buf);
	} else {
		format(report, NULL, 0, buf);
	}
	free(texts);
	free(reasons);
}
