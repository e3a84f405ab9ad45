/* SPDX-License-Identifier: MIT */
/*
 * What the programs behind doc/decisions have in common: settings as NAME=VALUE arguments, a
 * listener, and an end. decisions.py starts them, and reads what they print.
 *
 * These are experiments: whatever goes wrong ends the program.
 */
#ifndef RUPTIME_TESTS_SHAPE_H
#define RUPTIME_TESTS_SHAPE_H

#include <pthread.h>
#include <stdint.h>

/* The arguments, borrowed; once, before the others. */
void shape_begin(int argc, char **argv);

/* The value of the argument NAME=VALUE, or OTHERWISE if there is none. */
const char *shape_text(const char *name, const char *otherwise);
unsigned long shape_number(const char *name, unsigned long otherwise);

/* Which of the COUNT names the setting has; the first is what it is without the argument. */
unsigned shape_choice(const char *name, const char *const *names, unsigned count);

/* Listen on the address that is the setting "listen", and say where. Returns the descriptor. */
int shape_listen(void);

/* A thread that serves for good, or until its work is done. Call shape_listen() before. */
pthread_t shape_thread(void *(*main)(void *), void *argument);

/* Wait for SIGTERM, which all threads leave to this one. */
void shape_wait(void);

_Noreturn void shape_die(const char *what);

#endif
