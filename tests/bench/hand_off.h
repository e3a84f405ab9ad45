/* SPDX-License-Identifier: MIT */
/*
 * The hand-off from several threads to one, built in several ways, to measure them against
 * src/daemon/queue/queue.c, which is one of them. What to measure is said by settings (shape.h):
 *
 *	queue=ours		src/daemon/queue/queue.c as it is
 *	queue=lfs		the same structure, with what follows to choose from
 *	queue=wfcq		cds_wfcq, spliced without blocking
 *	queue=wfcq-blocking	cds_wfcq, with the library's own waiting for half-done pushes
 *	queue=mutex		a list under a mutex
 *
 *	wake=asleep		a push wakes a taker that has said that it sleeps
 *	wake=was-empty		a push into an empty queue wakes, asleep or not
 *	wake=each		every push does
 *
 *	spin=US			before it sleeps, the taker looks for so long
 *	yield=0			1: and lets others have the CPU between looks
 */
#ifndef RUPTIME_TESTS_HAND_OFF_H
#define RUPTIME_TESTS_HAND_OFF_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/queue/queue.h"

struct hand_off;

/* Empty. As many as there are share the settings. */
struct hand_off *hand_off_new(void);

/* Any thread. Returns whether the taker was woken. */
bool hand_off_push(struct hand_off *hand_off, struct queue_node *node);

/* One thread at a time. All there is, oldest first, linked by next; waits until there is. */
struct queue_node *hand_off_take(struct hand_off *hand_off);

/* System calls made so far: wake-ups, and sleeps. None is counted with queue=ours. */
uint64_t hand_off_wakes(const struct hand_off *hand_off);
uint64_t hand_off_sleeps(const struct hand_off *hand_off);

#endif
