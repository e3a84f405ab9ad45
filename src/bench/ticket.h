/* SPDX-License-Identifier: MIT */
/*
 * Numbers that go out with requests and come back with answers, and what became of the last 262,144
 * of them: so an answer is known for what it is, the first, a late one or one too many.
 *
 * One book, one thread.
 */
#ifndef RUPTIME_BENCH_TICKET_H
#define RUPTIME_BENCH_TICKET_H

#include <stdint.h>

#define TICKETS 262144

enum ticket_state {
	TICKET_UNKNOWN,		/* never issued, or forgotten */
	TICKET_RUNNING,
	TICKET_ANSWERED,
	TICKET_LOST,
};

struct ticket {
	uint64_t id;
	uint32_t slot;
	enum ticket_state state;
};

struct ticket_book {
	uint64_t next_id;
	struct ticket ring[TICKETS];
};

/* An empty book on the heap, whose first ticket is FIRST_ID. NULL with errno. free() it. */
struct ticket_book *ticket_book_new(uint64_t first_id);

/* A ticket for the request in SLOT. Fewer than TICKETS may run at a time. */
uint64_t ticket_issue(struct ticket_book *book, uint32_t slot);

/* NULL: unknown. */
struct ticket *ticket_find(struct ticket_book *book, uint64_t id);

/*
 * The ticket of which only NUMBER = id modulo RANGE, a multiple of TICKETS, is known. NULL: it is
 * unknown.
 */
struct ticket *ticket_find_number(struct ticket_book *book, uint32_t number, uint32_t range);

#endif
