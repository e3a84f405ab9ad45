/* SPDX-License-Identifier: MIT */
/*
 *	 12:34:56 up 3 days,  4:05,  2 users,  load average: 0.01, 0.02, 0.05
 *	12:34PM  up 3 days,  4:05, 2 users, load averages: 0,01 0,02 0,05
 *	 12:34pm  up 3 day(s),  5 min(s),  1 user,  load average: ...
 *
 * Between "up" and "load" stand numbers with a unit behind them, and one time of day; behind it
 * three numbers, with a decimal point or a decimal comma. Where the first unit is of no language
 * that is known here, as in "up 3 Tage,  4:05", the uptime is unknown, and not 4:05.
 */
#include "client/show/uptime_line.h"

#include <string.h>
#include <strings.h>

#define MINUTE_S 60
#define HOUR_S	 3600
#define DAY_S	 86400

/* More is nonsense: thirty thousand years. */
#define UPTIME_MAX_S 1000000000000

/* So that no sum overflows. */
#define NUMBER_MAX 1000000000000

static const struct {
	const char *name;	/* how the unit begins */
	int64_t seconds;
} units[] = {
	{ "sec", 1 },
	{ "min", MINUTE_S },
	{ "h", HOUR_S },	/* hour, hrs */
	{ "day", DAY_S },
	{ "week", 7 * (int64_t)DAY_S },
	{ "month", 30 * (int64_t)DAY_S },
	{ "year", 365 * (int64_t)DAY_S },
	{ "decade", 3650 * (int64_t)DAY_S },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The number at *TEXT, which is moved behind it. */
static int64_t take_number(const char **text)
{
	int64_t number = 0;

	for (; is_digit(**text); (*text)++) {
		if (number < NUMBER_MAX) {
			number = 10 * number + (**text - '0');
		}
	}
	return number;
}

/* Behind the word "up", or NULL. */
static const char *find_up(const char *line)
{
	for (const char *at = line; (at = strstr(at, "up")); at++) {
		if ((at == line || is_space(at[-1])) && (is_space(at[2]) || !at[2])) {
			return at + 2;
		}
	}
	return NULL;
}

/* "4:05" or "4:05:06" with its HOURS already taken, *TEXT at the first colon. */
static int64_t take_time(const char **text, int64_t hours)
{
	int64_t seconds = hours * HOUR_S;

	(*text)++;
	seconds += take_number(text) * MINUTE_S;
	if ((*text)[0] == ':' && is_digit((*text)[1])) {
		(*text)++;
		seconds += take_number(text);
	}
	return seconds;
}

static int64_t unit_seconds(const char *text)
{
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strncmp(text, units[i].name, strlen(units[i].name)) == 0) {
			return units[i].seconds;
		}
	}
	return 0;
}

static void add_time(struct uptime_facts *facts, int64_t seconds)
{
	facts->uptime_s = (facts->uptime_s < 0 ? 0 : facts->uptime_s) + seconds;
	if (facts->uptime_s > UPTIME_MAX_S) {
		facts->uptime_s = UPTIME_MAX_S;
	}
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/*
 * A number and what is behind it, at *TEXT, which is moved on. Returns false if that is a unit that
 * makes all behind it senseless.
 */
static bool take_quantity(const char **text, bool is_negative, struct uptime_facts *facts)
{
	int64_t number = take_number(text);
	int64_t seconds;

	/* As the classic ruptime shows it: 3+04:05. */
	if (**text == '+' && is_digit((*text)[1])) {
		add_time(facts, number < UPTIME_MAX_S / DAY_S ? number * DAY_S : UPTIME_MAX_S);
		(*text)++;
		number = take_number(text);
	}
	if ((*text)[0] == ':' && is_digit((*text)[1])) {
		add_time(facts, take_time(text, number < NUMBER_MAX / HOUR_S ? number : 0));
		return true;
	}
	while (is_space(**text)) {
		(*text)++;
	}
	seconds = unit_seconds(*text);
	if (strncmp(*text, "user", 4) == 0) {
		facts->users = is_negative ? -1 : number;
	} else if (seconds && !is_negative) {
		add_time(facts, number < UPTIME_MAX_S / seconds ? number * seconds : UPTIME_MAX_S);
	} else if (is_letter(**text) && facts->uptime_s < 0) {
		return false;
	}
	return true;
}

/* What stands between "up" and END. */
static void take_quantities(const char *at, const char *end, struct uptime_facts *facts)
{
	while (at < end) {
		if (is_digit(*at)) {
			if (!take_quantity(&at, at[-1] == '-', facts)) {
				return;
			}
		} else if (strncmp(at, "no users", 8) == 0) {
			facts->users = 0;
			at += 8;
		} else {
			at++;
		}
	}
}

/* "0.01" or "0,01" at *TEXT, which is moved behind it. */
static bool take_load(const char **text, double *load)
{
	double scale = 1;

	while (is_space(**text) || **text == ',' || **text == ';') {
		(*text)++;
	}
	if (!is_digit(**text)) {
		return false;
	}
	*load = (double)take_number(text);
	if ((**text != '.' && **text != ',') || !is_digit((*text)[1])) {
		return true;
	}
	for ((*text)++; is_digit(**text); (*text)++) {
		if (scale < 1000000) {
			*load = 10 * *load + (**text - '0');
			scale *= 10;
		}
	}
	*load /= scale;
	return true;
}

static void take_loads(const char *at, struct uptime_facts *facts)
{
	while (*at && !is_digit(*at)) {
		at++;
	}
	facts->has_loads = true;
	for (unsigned i = 0; i < UPTIME_LINE_LOADS; i++) {
		facts->has_loads = facts->has_loads && take_load(&at, &facts->loads[i]);
	}
}

void uptime_line_parse(const char *line, struct uptime_facts *facts)
{
	const char *up = find_up(line);
	const char *load;

	*facts = (struct uptime_facts){ .uptime_s = -1, .users = -1 };
	load = strcasestr(up ? up : line, "load");
	if (load) {
		take_loads(load, facts);
	}
	if (up) {
		take_quantities(up, load ? load : up + strlen(up), facts);
	}
}
