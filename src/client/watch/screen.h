/* SPDX-License-Identifier: MIT */
/*
 * The terminal: draws a view, and reads keys. One at a time, for one thread.
 */
#ifndef RUPTIME_CLIENT_WATCH_SCREEN_H
#define RUPTIME_CLIENT_WATCH_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/watch/view.h"

/*
 * Take the terminal over. Returns 0, or -1 if there is none that can show tables, or this build
 * cannot. The signals of the terminal go on.
 */
int screen_open(void);

/* Give it back as it was. Also when it has not been opened. */
void screen_close(void);

/* Draw VIEW, whose height is set; hosts are asked every INTERVAL_NS. */
void screen_draw(struct view *view, uint64_t interval_ns);

/* The next key that has been typed, as view_take_key() wants it, or -1 if there is none. */
int screen_key(void);

#endif
