/* SPDX-License-Identifier: MIT */
#include "client/watch/view.h"

#include <stdlib.h>
#include <string.h>

void view_init(struct view *view, const struct report *report, struct changes *changes,
	enum report_sort sort, bool reverse)
{
	*view = (struct view){
		.report = report,
		.changes = changes,
		.sort = sort,
		.reverse = reverse,
		.height = 1,
	};
}

void view_fini(struct view *view)
{
	free(view->order);
	view->order = NULL;
	view->count = 0;
}

size_t view_chosen(const struct view *view)
{
	return view->count ? view->order[view->chosen] : SIZE_MAX;
}

/* Keep the chosen row among the rows, and on the screen. */
static void clip(struct view *view)
{
	if (view->chosen >= view->count) {
		view->chosen = view->count ? view->count - 1 : 0;
	}
	if (view->top > view->chosen) {
		view->top = view->chosen;
	}
	if (view->chosen >= view->top + view->height) {
		view->top = view->chosen - view->height + 1;
	}
	/* No empty lines at the end while there are rows above. */
	if (view->top + view->height > view->count) {
		view->top = view->count > view->height ? view->count - view->height : 0;
	}
}

static bool is_shown(const struct view *view, size_t at)
{
	const struct report_row *row = &view->report->rows[at];
	const char *text = row->state == REPORT_DOWN ? row->reason : row->line;

	return !view->filter[0] || strcasestr(view->report->targets->list[at].text, view->filter) ||
	       (text && strcasestr(text, view->filter)) ||
	       (row->state == REPORT_DOWN && strcasestr("down", view->filter)) ||
	       strcasestr(change_name(view->changes->hosts[at].last), view->filter);
}

int view_update(struct view *view)
{
	const size_t chosen = view->follows ? view_chosen(view) : SIZE_MAX;
	uint32_t *order = report_sort(view->report, view->sort, view->reverse);
	size_t count = 0;

	if (!order) {
		return -1;
	}
	for (size_t i = 0; i < view->report->targets->count; i++) {
		if (is_shown(view, order[i])) {
			if (order[i] == chosen) {
				view->chosen = count;
			}
			order[count++] = order[i];
		}
	}
	if (!view->follows) {
		view->chosen = 0;
	}
	free(view->order);
	view->order = order;
	view->count = count;
	clip(view);
	return 0;
}

void view_resize(struct view *view, size_t height)
{
	view->height = height ? height : 1;
	clip(view);
}

static void move(struct view *view, size_t by, bool down)
{
	view->follows = true;
	if (down) {
		view->chosen = view->count - view->chosen > by ? view->chosen + by : view->count;
	} else {
		view->chosen = view->chosen > by ? view->chosen - by : 0;
	}
	clip(view);
}

static void sort_by(struct view *view, enum report_sort sort)
{
	view->reverse = view->sort == sort && !view->reverse;
	view->sort = sort;
}

static void take_filter_key(struct view *view, int key)
{
	size_t len = strlen(view->filter);

	switch (key) {
	case VIEW_KEY_ENTER:
		view->filtering = false;
		break;
	case VIEW_KEY_ESCAPE:
		view->filtering = false;
		view->filter[0] = '\0';
		break;
	case VIEW_KEY_BACKSPACE:
		view->filter[len ? len - 1 : 0] = '\0';
		break;
	default:
		/* Names have no other characters. */
		if (key >= ' ' && key < 0x7f && len + 1 < sizeof(view->filter)) {
			view->filter[len] = (char)key;
			view->filter[len + 1] = '\0';
		}
	}
}

static void take_moving_key(struct view *view, int key)
{
	switch (key) {
	case VIEW_KEY_UP:
	case 'k':
		move(view, 1, false);
		break;
	case VIEW_KEY_DOWN:
	case 'j':
		move(view, 1, true);
		break;
	case VIEW_KEY_PAGE_UP:
		move(view, view->height, false);
		break;
	case VIEW_KEY_PAGE_DOWN:
		move(view, view->height, true);
		break;
	case VIEW_KEY_HOME:
		move(view, view->count, false);
		view->follows = false;
		break;
	case VIEW_KEY_END:
		move(view, view->count, true);
		break;
	default:
		break;
	}
}

void view_take_key(struct view *view, int key)
{
	if (view->filtering) {
		take_filter_key(view, key);
		return;
	}
	switch (key) {
	case 'q':
		view->quit = true;
		break;
	case 'n':
		sort_by(view, REPORT_BY_NAME);
		break;
	case 'l':
		sort_by(view, REPORT_BY_LOAD);
		break;
	case 't':
		sort_by(view, REPORT_BY_UPTIME);
		break;
	case 'u':
		sort_by(view, REPORT_BY_USERS);
		break;
	case 'r':
		view->reverse = !view->reverse;
		break;
	case ' ':
		view->frozen = !view->frozen;
		break;
	case 'c':
		changes_clear(view->changes);
		break;
	case '/':
		view->filtering = true;
		view->opened = false;
		break;
	case VIEW_KEY_ENTER:
		view->opened = !view->opened;
		view->follows = true;
		break;
	case VIEW_KEY_ESCAPE:
		view->opened = false;
		break;
	default:
		take_moving_key(view, key);
	}
}
