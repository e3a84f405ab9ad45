/* SPDX-License-Identifier: MIT */
/*
 * Telling whoever started us how we are: by a newline on a descriptor, as s6 wants it
 * (https://skarnet.org/software/s6/notifywhenup.html), and by sd_notify(3)'s protocol. Main only.
 */
#ifndef RUPTIME_DAEMON_LIFE_NOTIFY_H
#define RUPTIME_DAEMON_LIFE_NOTIFY_H

/* Serving. *READY_FD gets its newline and is closed, unless it is -1. */
void notify_ready(int *ready_fd);

/* About to stop. */
void notify_stopping(void);

#endif
