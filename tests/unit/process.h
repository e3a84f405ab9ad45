/* SPDX-License-Identifier: MIT */
/*
 * What a process has: the test's own, or one that it watches. For what must not leak.
 */
#ifndef RUPTIME_TESTS_PROCESS_H
#define RUPTIME_TESTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How many descriptors this process has open. */
unsigned process_descriptors(void);

/*
 * Orphans of this process's descendants become its children from now on: then it has none left,
 * dead or alive, exactly if process_has_children() says so.
 */
void process_adopt_orphans(void);
bool process_has_children(void);

/* The one child of our main thread, or of PID's, or -1 if it has none or several. */
pid_t process_only_child(void);
pid_t process_only_child_of(pid_t pid);

/* NS, times the factor by which this build is slower than others (RUPTIME_TEST_SLOW). */
uint64_t process_slow_ns(uint64_t ns);

#endif
