/* SPDX-License-Identifier: MIT */
#include "client/show/table.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"

#define NAME_BYTES	512
#define FIELD_BYTES	64
#define NAME_WIDTH_MAX	48

/* How many columns printable TEXT takes: characters, not bytes. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++) {
		width += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return width;
}

static void format_uptime(const struct uptime_facts *facts, char *buf)
{
	int64_t minutes = facts->uptime_s / 60;
	int64_t days = minutes / (24 * 60);
	unsigned clock_minutes = (unsigned)(minutes % (24 * 60));

	if (facts->uptime_s < 0) {
		snprintf(buf, FIELD_BYTES, "?");
	} else if (days) {
		snprintf(buf, FIELD_BYTES, "%" PRId64 "+%02u:%02u", days, clock_minutes / 60,
			clock_minutes % 60);
	} else {
		snprintf(buf, FIELD_BYTES, "%u:%02u", clock_minutes / 60, clock_minutes % 60);
	}
}

static void format_users(const struct uptime_facts *facts, char *buf)
{
	buf[0] = '\0';
	if (facts->users >= 0) {
		snprintf(buf, FIELD_BYTES, "%" PRId64, facts->users);
	}
}

/* In hundredths, as it is shown; no load is so high. */
static uint64_t load_of(double load)
{
	return load < 1e9 ? (uint64_t)(load * 100 + 0.5) : 100000000000;
}

static int digits_of(uint64_t number)
{
	int digits = 1;

	while (number >= 10) {
		number /= 10;
		digits++;
	}
	return digits;
}

static int wider(int width, int other)
{
	return other > width ? other : width;
}

/* Is anything known but the line? */
static bool is_understood(const struct uptime_facts *facts)
{
	return facts->uptime_s >= 0 || facts->has_loads;
}

void table_init(struct table *table, const struct report *report, const uint32_t *order,
	size_t count)
{
	*table = (struct table){ .name = 1 };
	for (size_t i = 0; i < count; i++) {
		const struct report_row *row = &report->rows[order[i]];
		char name[NAME_BYTES];
		char field[FIELD_BYTES];

		table->name = wider(table->name,
			width_of(report_name(report, order[i], name, sizeof(name))));
		if (row->state != REPORT_UP || !is_understood(&row->facts)) {
			continue;
		}
		format_uptime(&row->facts, field);
		table->uptime = wider(table->uptime, width_of(field));
		if (row->facts.users >= 0) {
			table->users = wider(table->users, digits_of((uint64_t)row->facts.users));
		}
		for (unsigned j = 0; row->facts.has_loads && j < UPTIME_LINE_LOADS; j++) {
			/* A point and two digits behind it. */
			table->load = wider(table->load,
				digits_of(load_of(row->facts.loads[j]) / 100) + 3);
		}
	}
	if (table->name > NAME_WIDTH_MAX) {
		table->name = NAME_WIDTH_MAX;
	}
}

static int format_name(const struct table *table, const struct report *report, size_t at, char *buf)
{
	char name[NAME_BYTES];
	const char *shown = report_name(report, at, name, sizeof(name));
	int padding = table->name - width_of(shown);

	return snprintf(buf, TABLE_ROW_BYTES, "%s%*s", shown, padding > 0 ? padding : 0, "");
}

static void format_facts(const struct table *table, const struct uptime_facts *facts, char *buf,
	size_t size)
{
	char uptime[FIELD_BYTES];
	char users[FIELD_BYTES];
	int len;

	format_uptime(facts, uptime);
	format_users(facts, users);
	len = snprintf(buf, size, "  up %*s", table->uptime, uptime);
	if (users[0]) {
		len += snprintf(buf + len, size - (size_t)len, ",  %*s user%s", table->users, users,
			facts->users == 1 ? "" : "s");
	}
	if (!facts->has_loads) {
		return;
	}
	/* "user" and "users" end in the same column, and so does nothing at all. */
	len += snprintf(buf + len, size - (size_t)len, ",%*s  load",
		users[0] ? facts->users == 1 : table->users ? table->users + 9 : 0, "");
	for (unsigned i = 0; i < UPTIME_LINE_LOADS; i++) {
		const uint64_t load = load_of(facts->loads[i]);

		len += snprintf(buf + len, size - (size_t)len, "%s %*" PRIu64 ".%02u",
			i ? "," : "", table->load - 3, load / 100, (unsigned)(load % 100));
	}
}

void table_format(const struct table *table, const struct report *report, size_t at, char *buf)
{
	const struct report_row *row = &report->rows[at];
	int len = format_name(table, report, at, buf);
	size_t left = TABLE_ROW_BYTES - (size_t)len;

	if (row->state == REPORT_UNKNOWN) {
		snprintf(buf + len, left, "  ...");
	} else if (row->state == REPORT_DOWN) {
		snprintf(buf + len, left, "  down  %s", row->reason ? row->reason : "");
	} else if (is_understood(&row->facts)) {
		format_facts(table, &row->facts, buf + len, left);
	} else {
		snprintf(buf + len, left, "  up  %s", row->line ? row->line : "");
	}
}

static double ms_of(uint64_t ns)
{
	return (double)ns / (double)CLOCK_MS;
}

void table_format_count(const struct table *table, const struct report *report, size_t at,
	char *buf)
{
	const struct report_count *count = &report->counts[at];
	int len = format_name(table, report, at, buf);
	unsigned lost = count->sent - count->answered;

	len += snprintf(buf + len, TABLE_ROW_BYTES - (size_t)len,
		" : sent/answered/%%loss = %u/%u/%u%%", count->sent, count->answered,
		count->sent ? 100 * lost / count->sent : 0);
	if (count->answered) {
		snprintf(buf + len, TABLE_ROW_BYTES - (size_t)len,
			", min/avg/max = %.3f/%.3f/%.3f ms", ms_of(count->least_ns),
			ms_of(count->sum_ns / count->answered), ms_of(count->most_ns));
	}
}
