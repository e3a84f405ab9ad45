/* SPDX-License-Identifier: MIT */
/* In place of screen.c, where ncurses is missing. */
#include "client/watch/screen.h"

int screen_open(void)
{
	return -1;
}

void screen_close(void)
{
}

void screen_draw(struct view *view, uint64_t interval_ns)
{
	(void)view;
	(void)interval_ns;
}

int screen_key(void)
{
	return -1;
}
