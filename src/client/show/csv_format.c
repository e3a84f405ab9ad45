/* SPDX-License-Identifier: MIT */
/*
 * RFC 4180, but that lines end in "\n" alone: one header, one record for each target.
 */
#include "client/show/report.h"

#include <inttypes.h>
#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/text.h"

static int begin(const struct report *report, FILE *out)
{
	fputs("target,status,uptime_seconds,users,load1,load5,load15,rtt_ms,tries,reason,line",
		out);
	fputs(report->counts ? ",sent,answered,rtt_min_ms,rtt_avg_ms,rtt_max_ms\n" : "\n", out);
	return 0;
}

static void write_text(const char *text, FILE *out)
{
	if (!text || !text[strcspn(text, ",\"\r\n")]) {
		fputs(text ? text : "", out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"') {
			fputc('"', out);
		}
		fputc(*text, out);
	}
	fputc('"', out);
}

static void write_number(int64_t number, FILE *out)
{
	if (number >= 0) {
		fprintf(out, "%" PRId64, number);
	}
	fputc(',', out);
}

static double ms_of(uint64_t ns)
{
	return (double)ns / (double)CLOCK_MS;
}

static void write_facts(const struct uptime_facts *facts, FILE *out)
{
	write_number(facts->uptime_s, out);
	write_number(facts->users, out);
	for (unsigned i = 0; i < UPTIME_LINE_LOADS; i++) {
		if (facts->has_loads) {
			fprintf(out, "%.2f", facts->loads[i]);
		}
		fputc(',', out);
	}
}

static void write_count(const struct report_count *count, FILE *out)
{
	fprintf(out, ",%u,%u,", count->sent, count->answered);
	if (count->answered) {
		fprintf(out, "%.3f,%.3f,%.3f", ms_of(count->least_ns),
			ms_of(count->sum_ns / count->answered), ms_of(count->most_ns));
	} else {
		fputs(",,", out);
	}
}

static int write_row(const struct report *report, size_t at, FILE *out)
{
	static const struct uptime_facts nothing = { .uptime_s = -1, .users = -1 };
	const struct report_row *row = &report->rows[at];
	const bool up = row->state == REPORT_UP;
	char name[ADDRESS_TEXT_MAX * TEXT_ESCAPED_BYTES];

	write_text(report_name(report, at, name, sizeof(name)), out);
	fputs(up ? ",up," : ",down,", out);
	write_facts(up ? &row->facts : &nothing, out);
	if (up) {
		fprintf(out, "%.3f", ms_of(row->rtt_ns));
	}
	fprintf(out, ",%u,", row->tries);
	write_text(up ? NULL : row->reason, out);
	fputc(',', out);
	write_text(up ? row->line : NULL, out);
	if (report->counts) {
		write_count(&report->counts[at], out);
	}
	fputc('\n', out);
	return 0;
}

const struct report_format csv_format = { .begin = begin, .write = write_row };
