/* SPDX-License-Identifier: MIT */
#include "client/show/output.h"

#include <stdlib.h>

#include "client/show/table.h"

static void write_table(const struct report *report, const uint32_t *order, FILE *out)
{
	const size_t count = report->targets->count;
	struct table table;
	char row[TABLE_ROW_BYTES];

	table_init(&table, report, order, count);
	for (size_t i = 0; i < count; i++) {
		if (report->counts) {
			table_format_count(&table, report, order[i], row);
		} else {
			table_format(&table, report, order[i], row);
		}
		fprintf(out, "%s\n", row);
	}
}

static int write_records(const struct report *report, const struct report_format *format,
	const uint32_t *order, FILE *out)
{
	for (size_t i = 0; i < report->targets->count; i++) {
		if (format->write(report, order[i], out) < 0) {
			return -1;
		}
	}
	return 0;
}

int output_write(const struct report *report, const struct report_format *format,
	enum report_sort sort, bool reverse, FILE *out)
{
	uint32_t *order = report_sort(report, sort, reverse);
	int result = 0;

	if (!order) {
		return -1;
	}
	if (format) {
		result = write_records(report, format, order, out);
	} else {
		write_table(report, order, out);
	}
	free(order);
	return result;
}
