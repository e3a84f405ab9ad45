/* SPDX-License-Identifier: MIT */
#include "bench/ticket.h"

#include <stdlib.h>

struct ticket_book *ticket_book_new(uint64_t first_id)
{
	struct ticket_book *book = calloc(1, sizeof(*book));

	if (book) {
		book->next_id = first_id;
	}
	return book;
}

uint64_t ticket_issue(struct ticket_book *book, uint32_t slot)
{
	struct ticket *ticket = &book->ring[book->next_id % TICKETS];

	/* One that still waits for its answer keeps its place. */
	while (ticket->state == TICKET_RUNNING) {
		ticket = &book->ring[++book->next_id % TICKETS];
	}
	*ticket = (struct ticket){
		.id = book->next_id++,
		.slot = slot,
		.state = TICKET_RUNNING,
	};
	return ticket->id;
}

struct ticket *ticket_find_number(struct ticket_book *book, uint32_t number, uint32_t range)
{
	struct ticket *ticket = &book->ring[number % TICKETS];

	return ticket->state == TICKET_UNKNOWN || ticket->id % range != number ? NULL : ticket;
}

struct ticket *ticket_find(struct ticket_book *book, uint64_t id)
{
	struct ticket *ticket = &book->ring[id % TICKETS];

	return ticket->state == TICKET_UNKNOWN || ticket->id != id ? NULL : ticket;
}
