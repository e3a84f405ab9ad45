/* SPDX-License-Identifier: MIT */
/*
 * Which addresses were refused a few seconds ago. A client that got no answer asks again; a flood
 * under forged addresses seldom comes twice from the same one. doc/decisions/0013 has the
 * figures.
 *
 * Two Bloom filters, one for these RETURNING_NS and one for those before, all bits of an address
 * in one cache line. They have a fixed size, are empty as long as none is refused, and are wrong
 * about 1 in 10,000 addresses when 100,000 a second are refused; then an address is taken for one
 * that has come again.
 *
 * One thread at a time; none of the functions waits.
 */
#ifndef RUPTIME_DAEMON_POLICY_RETURNING_H
#define RUPTIME_DAEMON_POLICY_RETURNING_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

/* An address is remembered for so long at least, and for twice as long at most. */
#define RETURNING_NS (4 * CLOCK_S)

struct returning;

/* Returns NULL with errno. */
struct returning *returning_new(void);

/* NULL is fine. */
void returning_free(struct returning *returning);

/* ADDRESS was refused at NOW_NS, a clock that never goes back. */
void returning_note(
	struct returning *returning, const struct in6_addr *address, uint64_t now_ns);

/* Was any address refused in the last RETURNING_NS? */
bool returning_any(struct returning *returning, uint64_t now_ns);

/* Was ADDRESS refused in the last RETURNING_NS? */
bool returning_has(struct returning *returning, const struct in6_addr *address, uint64_t now_ns);

#endif
