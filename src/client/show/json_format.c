/* SPDX-License-Identifier: MIT */
/*
 * One object a line; doc/ruptime.schema.json says what it holds.
 */
#include "client/show/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/text.h"

/* More digits than were measured help no reader. */
#define DIGITS 9

static int begin(const struct report *report, FILE *out)
{
	(void)report;
	(void)out;
	return 0;
}

static json_t *known(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static json_t *text(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *milliseconds(uint64_t ns)
{
	return json_real(round((double)ns / (double)CLOCK_US) / 1000);
}

static json_t *load(const struct uptime_facts *facts, unsigned at)
{
	return facts->has_loads ? json_real(facts->loads[at]) : json_null();
}

/* Takes VALUE; out of memory shows at the end. */
static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void put_facts(json_t *object, const struct uptime_facts *facts)
{
	put(object, "uptime_seconds", known(facts->uptime_s));
	put(object, "users", known(facts->users));
	put(object, "load1", load(facts, 0));
	put(object, "load5", load(facts, 1));
	put(object, "load15", load(facts, 2));
}

static void put_count(json_t *object, const struct report_count *count)
{
	const bool any = count->answered > 0;
	const uint64_t mean_ns = any ? count->sum_ns / count->answered : 0;

	put(object, "sent", json_integer(count->sent));
	put(object, "answered", json_integer(count->answered));
	put(object, "rtt_min_ms", any ? milliseconds(count->least_ns) : json_null());
	put(object, "rtt_avg_ms", any ? milliseconds(mean_ns) : json_null());
	put(object, "rtt_max_ms", any ? milliseconds(count->most_ns) : json_null());
}

static int write_row(const struct report *report, size_t at, FILE *out)
{
	static const struct uptime_facts nothing = { .uptime_s = -1, .users = -1 };
	const struct report_row *row = &report->rows[at];
	const bool up = row->state == REPORT_UP;
	char name[ADDRESS_TEXT_MAX * TEXT_ESCAPED_BYTES];
	json_t *object = json_object();
	int result;

	put(object, "target", text(report_name(report, at, name, sizeof(name))));
	put(object, "status", text(up ? "up" : "down"));
	put(object, "line", text(up ? row->line : NULL));
	put_facts(object, up ? &row->facts : &nothing);
	put(object, "rtt_ms", up ? milliseconds(row->rtt_ns) : json_null());
	put(object, "tries", json_integer(row->tries));
	put(object, "reason", text(up ? NULL : row->reason));
	if (report->counts) {
		put_count(object, &report->counts[at]);
	}
	result = json_dumpf(object, out, JSON_REAL_PRECISION(DIGITS) | JSON_PRESERVE_ORDER);
	json_decref(object);
	if (result < 0 && !ferror(out)) {
		errno = ENOMEM;
	}
	return result < 0 || fputc('\n', out) == EOF ? -1 : 0;
}

static const struct report_format format = { .begin = begin, .write = write_row };

const struct report_format *const json_format = &format;
