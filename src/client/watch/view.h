/* SPDX-License-Identifier: MIT */
/*
 * What a user sees of the hosts, and what keys do to it: the order, a filter, the place on the
 * screen. Knows nothing of terminals.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_WATCH_VIEW_H
#define RUPTIME_CLIENT_WATCH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/show/report.h"
#include "client/watch/changes.h"

#define VIEW_FILTER_BYTES 64

/* Keys that are no characters. */
enum view_key {
	VIEW_KEY_UP = 0x110000,		/* behind the last character of Unicode */
	VIEW_KEY_DOWN,
	VIEW_KEY_PAGE_UP,
	VIEW_KEY_PAGE_DOWN,
	VIEW_KEY_HOME,
	VIEW_KEY_END,
	VIEW_KEY_ENTER,
	VIEW_KEY_ESCAPE,
	VIEW_KEY_BACKSPACE,
};

struct view {
	const struct report *report;	/* borrowed, like the next one */
	struct changes *changes;
	enum report_sort sort;
	bool reverse;
	bool frozen;			/* nothing is asked, and nothing moves */
	bool opened;			/* one host's history is shown */
	bool filtering;			/* keys go to the filter */
	bool follows;			/* the chosen host stays chosen; else the first row is */
	bool quit;
	char filter[VIEW_FILTER_BYTES];	/* of names, lines and reasons; "": all */
	uint32_t *order;		/* the rows that are shown */
	size_t count;			/* of these */
	size_t chosen;			/* the place in ORDER of the chosen row */
	size_t top;			/* that of the first on the screen */
	size_t height;			/* rows on the screen */
};

void view_init(struct view *view, const struct report *report, struct changes *changes,
	enum report_sort sort, bool reverse);
void view_fini(struct view *view);

/*
 * Sort and filter anew; a host that a user has chosen stays chosen. Returns 0, or -1 with errno.
 */
int view_update(struct view *view);

/* There is room for HEIGHT rows. */
void view_resize(struct view *view, size_t height);

/* A character or a key has been typed. Then view_update() is to be called. */
void view_take_key(struct view *view, int key);

/* The chosen target, or SIZE_MAX if there is no row. */
size_t view_chosen(const struct view *view);

#endif
