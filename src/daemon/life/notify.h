/* SPDX-License-Identifier: MIT */
/*
 * Telling the one that started us how we are: by a newline on a descriptor, as s6 wants it
 * (https://skarnet.org/software/s6/notifywhenup.html), and a service manager by the protocol of
 * sd_notify(3). Main only. Nothing here waits: a manager gets only what it takes at once.
 */
#ifndef RUPTIME_DAEMON_LIFE_NOTIFY_H
#define RUPTIME_DAEMON_LIFE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Find out from the environment whether there is a manager, and what it wants. Before the sandbox,
 * since it opens a socket.
 */
void notify_open(void);

/* Serving. *READY_FD gets its newline and is closed, unless it is -1. */
void notify_ready(int *ready_fd);

/* Reading the configuration again; notify_ready() tells the end of it. */
void notify_reloading(void);

/* Another process is the service from now on. */
void notify_main_pid(pid_t pid);

/* About to stop. */
void notify_stopping(void);

/* How it goes, in words, without a line feed. */
void notify_status(const char *status);

/*
 * How often notify_alive() is to be called, so that the manager does not take us for dead; twice
 * as often as it has to be. CLOCK_NEVER: not at all.
 */
uint64_t notify_watchdog_ns(void);
void notify_alive(void);

/* Is there a manager? */
bool notify_has_manager(void);

void notify_close(void);

#endif
