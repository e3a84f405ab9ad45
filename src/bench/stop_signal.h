/* SPDX-License-Identifier: MIT */
/*
 * SIGINT and SIGTERM. The first one while something is measured ends the measuring; a second one,
 * or one at any other time, ends the program at once with 128 and the number of the signal. A
 * repeat within 100 ms is the same order delivered twice, as timeout(1) does it to its command
 * and to the group of its command, and counts for nothing.
 *
 * One for the process: main sets it up; the handler may run in any thread that has not blocked
 * them.
 */
#ifndef RUPTIME_BENCH_STOP_SIGNAL_H
#define RUPTIME_BENCH_STOP_SIGNAL_H

/* Handle them. Until stop_signal_arm(), they end the program. Returns 0, or -1 with errno. */
int stop_signal_init(void);

/* From now on the first one makes STOP_FD readable (io_event_set()). */
void stop_signal_arm(int stop_fd);

/* What was to be ended is over: the next one ends the program. */
void stop_signal_disarm(void);

/* The first one that came while it was armed, or 0. */
int stop_signal_first(void);

/* How a program that SIGNAL_NUMBER has ended exits. */
int stop_signal_status(int signal_number);

#endif
