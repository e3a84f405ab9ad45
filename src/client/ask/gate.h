/* SPDX-License-Identifier: MIT */
/*
 * How fast hosts are asked: no faster than the network and the servers show that they can take it.
 *
 * At most GATE_OPEN_MAX questions are unanswered that are younger than GATE_OPEN_NS. Where answers
 * come fast, each lets the next question out, at any rate that both ends can keep up; where they
 * come late or never, questions still go out at GATE_OPEN_MAX / GATE_OPEN_NS, 16,000 a second. The
 * number is what the default receive buffer of a socket holds of requests of 512 bytes.
 *
 * One thread at a time.
 */
#ifndef RUPTIME_CLIENT_ASK_GATE_H
#define RUPTIME_CLIENT_ASK_GATE_H

#include <stdint.h>

#include "common/clock.h"

#define GATE_OPEN_MAX 128
#define GATE_OPEN_NS  (8 * CLOCK_MS)

/* One question; part of what is asked. All zeros: not counted. */
struct gate_pass {
	struct gate_pass *older;
	struct gate_pass *younger;
	uint64_t asked_ns;	/* 0: not counted */
};

struct gate {
	uint64_t interval_ns;	/* between two questions, at least */
	uint64_t next_ns;	/* not before */
	unsigned open;
	struct gate_pass ends;	/* of a ring: its younger is the oldest */
};

void gate_init(struct gate *gate, uint64_t interval_ns);

/* May another question go out at NOW_NS? If not, *WAKE_NS is lowered to when it may. */
int gate_is_open(struct gate *gate, uint64_t now_ns, uint64_t *wake_ns);

/* It does. */
void gate_pass(struct gate *gate, struct gate_pass *pass, uint64_t now_ns);

/* It has been answered, or is given up. Any number of times. */
void gate_return(struct gate *gate, struct gate_pass *pass);

#endif
