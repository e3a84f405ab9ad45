/* SPDX-License-Identifier: MIT */
#include "client/watch/screen.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/show/table.h"
#include "common/clock.h"
#include "common/text.h"

/* The header and the line of keys; a row begins with a mark. */
#define OTHER_LINES 3
#define MARK_WIDTH  9

enum colour {
	COLOUR_DOWN = 1,
	COLOUR_BACK,
	COLOUR_REBOOTED,
};

static SCREEN *screen;
static bool has_utf8;

int screen_open(void)
{
	const char *no_color = getenv("NO_COLOR");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		return -1;
	}
	/* For the characters of the terminal alone: numbers stay as they are. */
	setlocale(LC_CTYPE, "");
	has_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		return -1;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if ((!no_color || !no_color[0]) && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(COLOUR_DOWN, COLOR_RED, -1);
		init_pair(COLOUR_BACK, COLOR_GREEN, -1);
		init_pair(COLOUR_REBOOTED, COLOR_YELLOW, -1);
	}
	return 0;
}

void screen_close(void)
{
	if (screen) {
		endwin();
		delscreen(screen);
		screen = NULL;
	}
}

int screen_key(void)
{
	int key = getch();

	switch (key) {
	case KEY_UP:
		return VIEW_KEY_UP;
	case KEY_DOWN:
		return VIEW_KEY_DOWN;
	case KEY_PPAGE:
		return VIEW_KEY_PAGE_UP;
	case KEY_NPAGE:
		return VIEW_KEY_PAGE_DOWN;
	case KEY_HOME:
		return VIEW_KEY_HOME;
	case KEY_END:
		return VIEW_KEY_END;
	case KEY_ENTER:
	case '\n':
	case '\r':
		return VIEW_KEY_ENTER;
	case '\033':
		return VIEW_KEY_ESCAPE;
	case KEY_BACKSPACE:
	case 0x7f:
	case '\b':
		return VIEW_KEY_BACKSPACE;
	case ERR:
		return -1;
	default:
		return key;
	}
}

/* TEXT at the start of a line, cut at the screen's edge, as far as this terminal can show it. */
static void put_line(int line, int column, const char *text)
{
	char shown[TABLE_ROW_BYTES];

	if (!has_utf8) {
		text_escape_bytes(shown, sizeof(shown), text, strlen(text));
		text = shown;
	}
	if (line < LINES && column < COLS) {
		mvaddnstr(line, column, text, -1);
	}
	clrtoeol();
}

static const char *name_of(enum report_sort sort)
{
	switch (sort) {
	case REPORT_BY_LOAD:
		return "load";
	case REPORT_BY_UPTIME:
		return "uptime";
	case REPORT_BY_USERS:
		return "users";
	default:
		return "name";
	}
}

/* The second line: the filter if there is one, else how many hosts have which mark. */
static void format_second_line(const struct view *view, char *buf)
{
	const struct changes *changes = view->changes;
	size_t counts[CHANGES] = { 0 };
	size_t len = 0;

	buf[0] = '\0';
	if (view->filtering || view->filter[0]) {
		snprintf(buf, TABLE_ROW_BYTES, "filter: %s%s  (%zu shown)", view->filter,
			view->filtering ? "_" : "", view->count);
		return;
	}
	for (size_t i = 0; i < changes->count; i++) {
		counts[changes->hosts[i].last]++;
	}
	for (unsigned i = CHANGE_NONE + 1; i < CHANGES; i++) {
		if (counts[i]) {
			len += (size_t)snprintf(buf + len, TABLE_ROW_BYTES - len, "%s%zu %s",
				len ? ", " : "marked: ", counts[i], change_name((enum change)i));
		}
	}
}

static void draw_header(const struct view *view, uint64_t interval_ns)
{
	size_t up = 0;
	size_t down = 0;
	char text[TABLE_ROW_BYTES];
	char clock[16];
	time_t now = time(NULL);
	struct tm local;

	for (size_t i = 0; i < view->report->targets->count; i++) {
		up += view->report->rows[i].state == REPORT_UP;
		down += view->report->rows[i].state == REPORT_DOWN;
	}
	localtime_r(&now, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	snprintf(text, sizeof(text), "%s  %zu hosts, %zu up, %zu down, by %s%s, every %g s%s",
		clock, view->report->targets->count, up, down, name_of(view->sort),
		view->reverse ? " reversed" : "", (double)interval_ns / (double)CLOCK_S,
		view->frozen ? ", FROZEN" : "");
	attron(A_BOLD);
	put_line(0, 0, text);
	attroff(A_BOLD);
	format_second_line(view, text);
	put_line(1, 0, text);
}

static int attributes_of(const struct view *view, size_t at)
{
	if (view->report->rows[at].state == REPORT_DOWN) {
		return COLOR_PAIR(COLOUR_DOWN);
	}
	switch (view->changes->hosts[at].last) {
	case CHANGE_BACK:
		return COLOR_PAIR(COLOUR_BACK);
	case CHANGE_REBOOTED:
		return COLOR_PAIR(COLOUR_REBOOTED);
	default:
		return 0;
	}
}

static void draw_rows(const struct view *view)
{
	struct table table;
	char row[TABLE_ROW_BYTES];

	table_init(&table, view->report, view->order, view->count);
	for (size_t i = 0; i < view->height; i++) {
		size_t place = view->top + i;
		int line = (int)i + OTHER_LINES - 1;
		int attributes;

		if (place >= view->count) {
			put_line(line, 0, "");
			continue;
		}
		attributes = attributes_of(view, view->order[place]) |
			     (place == view->chosen ? A_REVERSE : 0);
		snprintf(row, sizeof(row), "%-*s ", MARK_WIDTH - 1,
			change_name(view->changes->hosts[view->order[place]].last));
		attron(attributes);
		put_line(line, 0, row);
		table_format(&table, view->report, view->order[place], row);
		put_line(line, MARK_WIDTH, row);
		attroff(attributes);
	}
}

/* The load of the last rounds, the last one at the right, as bars of eight heights. */
static void format_bars(const struct view *view, size_t at, unsigned width, float most, char *buf)
{
	/* U+2581 to U+2588 */
	static const char *const bars[] = { "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
		"\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87",
		"\xe2\x96\x88" };
	static const char *const plain[] = { "_", ".", ":", "-", "=", "+", "*", "#" };

	buf[0] = '\0';
	for (unsigned i = width; i-- > 0;) {
		float load = changes_load(view->changes, at, i);
		unsigned height = most > 0 && load > 0 ? (unsigned)(load / most * 7.999f) : 0;

		strcat(buf, isnan(load) ? " " : has_utf8 ? bars[height] : plain[height]);
	}
}

/* How host AT is, and since when. Returns the next line. */
static int draw_host(const struct view *view, size_t at, int line)
{
	static const char *const states[] = { "not asked yet,", "up", "down" };
	const struct report_row *row = &view->report->rows[at];
	const struct changes_host *host = &view->changes->hosts[at];
	char text[TABLE_ROW_BYTES];
	char since[64];
	struct tm local;

	put_line(line++, 0, report_name(view->report, at, text, sizeof(text)));
	localtime_r(&host->since, &local);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &local);
	snprintf(text, sizeof(text), "%s since %s%s%s", states[row->state], since,
		host->last == CHANGE_NONE ? "" : ", was seen to be ", change_name(host->last));
	put_line(line++, 0, text);
	put_line(line++, 0,
		row->state == REPORT_DOWN ? row->reason : row->line ? row->line : "");
	snprintf(text, sizeof(text), "answered in %.3f ms, try %u",
		(double)row->rtt_ns / (double)CLOCK_MS, row->tries);
	put_line(line++, 0, row->state == REPORT_UP ? text : "");
	return line;
}

static void draw_history(const struct view *view)
{
	const size_t at = view_chosen(view);
	const unsigned width = COLS < CHANGES_HISTORY ? (unsigned)COLS : CHANGES_HISTORY;
	char text[TABLE_ROW_BYTES];
	float most = 0;
	int line = OTHER_LINES - 1;

	if (at != SIZE_MAX) {
		line = draw_host(view, at, line);
		for (unsigned i = 0; i < width; i++) {
			most = fmaxf(most, changes_load(view->changes, at, i));
		}
		put_line(line++, 0, "");
		format_bars(view, at, width, most, text);
		put_line(line++, 0, text);
		snprintf(text, sizeof(text),
			"load in the last %u rounds, the newest at the right; the highest is %.2f",
			width, (double)most);
		put_line(line++, 0, text);
	}
	while (line < LINES - 1) {
		put_line(line++, 0, "");
	}
}

void screen_draw(struct view *view, uint64_t interval_ns)
{
	view_resize(view, LINES > OTHER_LINES ? (size_t)(LINES - OTHER_LINES) : 1);
	draw_header(view, interval_ns);
	if (view->opened) {
		draw_history(view);
	} else {
		draw_rows(view);
	}
	attron(A_DIM);
	put_line(LINES - 1, 0, view->opened ? "q quit  enter back  space freeze"
					    : "q quit  n l t u sort  r reverse  / filter  "
					      "space freeze  enter open  c clear");
	attroff(A_DIM);
	refresh();
}
