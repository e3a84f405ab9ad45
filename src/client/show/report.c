/* SPDX-License-Identifier: MIT */
#include "client/show/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

int report_init(struct report *report, const struct targets *targets, bool counts)
{
	*report = (struct report){ .targets = targets };
	report->rows = calloc(targets->count, sizeof(*report->rows));
	if (counts) {
		report->counts = calloc(targets->count, sizeof(*report->counts));
	}
	if (!report->rows || (counts && !report->counts)) {
		report_fini(report);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void report_fini(struct report *report)
{
	for (size_t i = 0; report->rows && i < report->targets->count; i++) {
		free(report->rows[i].line);
		free(report->rows[i].reason);
	}
	free(report->rows);
	free(report->counts);
	*report = (struct report){ .rows = NULL };
}

void report_begin_round(struct report *report)
{
	report->up = 0;
	report->down = 0;
	report->broken = 0;
}

void report_recount(struct report *report)
{
	report->up = 0;
	report->down = 0;
	for (size_t i = 0; i < report->targets->count; i++) {
		report->up += report->rows[i].state == REPORT_UP;
		report->down += report->rows[i].state == REPORT_DOWN;
	}
}

static void count(struct report_count *count, const struct ask_outcome *outcome)
{
	uint64_t rtt_ns = outcome->answer.rtt_ns;

	count->sent++;
	if (outcome->status != ASK_ANSWERED) {
		return;
	}
	if (!count->answered || count->least_ns > rtt_ns) {
		count->least_ns = rtt_ns;
	}
	if (count->most_ns < rtt_ns) {
		count->most_ns = rtt_ns;
	}
	count->sum_ns += rtt_ns;
	count->answered++;
}

/* A copy of LEN bytes in place of *TEXT. */
static int replace(char **text, const char *with, size_t len)
{
	char *copy = strndup(with, len);

	free(*text);
	*text = copy;
	return copy ? 0 : -1;
}

int report_take(struct report *report, size_t at, const struct ask_outcome *outcome)
{
	struct report_row *row = &report->rows[at];
	const struct answer *answer = &outcome->answer;

	row->tries = outcome->tries;
	if (report->counts) {
		count(&report->counts[at], outcome);
	}
	if (outcome->status != ASK_ANSWERED) {
		row->state = REPORT_DOWN;
		report->down++;
		report->broken += outcome->status == ASK_BROKEN;
		return replace(&row->reason, answer->reason, strlen(answer->reason));
	}
	row->state = REPORT_UP;
	row->rtt_ns = answer->rtt_ns;
	report->up++;
	if (replace(&row->line, answer->line, strcspn(answer->line, "\r\n")) < 0) {
		return -1;
	}
	uptime_line_parse(row->line, &row->facts);
	return 0;
}

int report_take_facts(struct report *report, size_t at, const struct uptime_facts *facts,
	const char *reason)
{
	struct report_row *row = &report->rows[at];

	row->state = reason ? REPORT_DOWN : REPORT_UP;
	report->up += !reason;
	report->down += reason != NULL;
	if (reason) {
		return replace(&row->reason, reason, strlen(reason));
	}
	row->facts = *facts;
	return 0;
}

const char *report_name(const struct report *report, size_t at, char *buf, size_t size)
{
	const char *text = report->targets->list[at].text;

	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
			text_escape(buf, size, text, strlen(text));
			return buf;
		}
	}
	return text;
}

struct sorting {
	const struct report *report;
	enum report_sort by;
	int sign;
};

static int compare_numbers(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int compare_facts(const struct uptime_facts *a, const struct uptime_facts *b,
	enum report_sort by)
{
	switch (by) {
	case REPORT_BY_LOAD:
		return compare_numbers(a->has_loads ? a->loads[0] : -1,
			b->has_loads ? b->loads[0] : -1);
	case REPORT_BY_UPTIME:
		return compare_numbers((double)a->uptime_s, (double)b->uptime_s);
	case REPORT_BY_USERS:
		return compare_numbers((double)a->users, (double)b->users);
	default:
		return 0;
	}
}

static int compare(const void *left, const void *right, void *context)
{
	const struct sorting *sorting = context;
	const uint32_t a = *(const uint32_t *)left;
	const uint32_t b = *(const uint32_t *)right;
	const struct report_row *rows = sorting->report->rows;
	const struct target *targets = sorting->report->targets->list;
	int order = 0;

	if (rows[a].state != rows[b].state) {
		return rows[a].state == REPORT_UP ? -1 : rows[b].state == REPORT_UP ? 1 : 0;
	}
	if (rows[a].state == REPORT_UP) {
		order = compare_facts(&rows[a].facts, &rows[b].facts, sorting->by);
	}
	if (!order && sorting->by != REPORT_AS_GIVEN) {
		order = strverscmp(targets[a].text, targets[b].text);
	}
	if (!order) {
		order = a < b ? -1 : 1;
	}
	return sorting->sign * order;
}

uint32_t *report_sort(const struct report *report, enum report_sort by, bool reverse)
{
	struct sorting sorting = { report, by, reverse ? -1 : 1 };
	size_t total = report->targets->count;
	uint32_t *order = reallocarray(NULL, total ? total : 1, sizeof(*order));

	if (order) {
		for (size_t i = 0; i < total; i++) {
			order[i] = (uint32_t)i;
		}
		qsort_r(order, total, sizeof(*order), compare, &sorting);
	}
	return order;
}
