/* SPDX-License-Identifier: MIT */
/*
 * Which signals this process takes, and when. Main only: other threads and processes inherit the
 * mask that it has when they are created.
 *
 * SIGTERM and SIGINT end the process at once while it starts, since a start may wait for a name
 * server; once it serves they are read from a descriptor. SIGQUIT and SIGABRT, those of faults and
 * those of the terminal's job control do what they always do.
 */
#ifndef RUPTIME_DAEMON_LIFE_SIGNALS_H
#define RUPTIME_DAEMON_LIFE_SIGNALS_H

/*
 * From now on SIGTERM and SIGINT end this process, whether it inherited them ignored, blocked or
 * not. TIDY is called before, unless it is NULL; it must be async-signal-safe.
 */
void signals_end_at_once(void (*tidy)(void));

/* From now on no signal that signals_open() is for, nor another that may wait, does anything. */
void signals_hold(void);

/* A descriptor for signals_next(), to be polled. Returns -1 with errno. */
int signals_open(void);

/* The next signal that has come: SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD; or 0. */
int signals_next(int signal_fd);

#endif
