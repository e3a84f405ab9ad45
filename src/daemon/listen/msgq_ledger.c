/* SPDX-License-Identifier: MIT */
/*
 * A hash table with chains, whose entries also stand in a list by the time their period began.
 */
#include "daemon/listen/msgq_ledger.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define NONE UINT16_MAX

/* Entries name each other by index: half the memory of pointers, and nothing to relocate. */
struct entry {
	uint64_t began_ns;	/* the period; by its first reply, or by the last one's end */
	uint64_t latest_ns;
	int32_t type;
	uint32_t since;		/* replies since the period began */
	uint16_t chain;		/* next of the same hash */
	uint16_t older;
	uint16_t newer;
};

struct msgq_ledger {
	uint16_t heads[MSGQ_LEDGER_TYPES];
	uint16_t oldest;
	uint16_t newest;
	uint16_t unused;	/* chain of those given back */
	uint16_t fresh;		/* the first that was never used */
	struct entry entries[MSGQ_LEDGER_TYPES];
};

_Static_assert(MSGQ_LEDGER_TYPES < NONE, "every entry has an index");

void msgq_ledger_clear(struct msgq_ledger *ledger)
{
	memset(ledger->heads, 0xff, sizeof(ledger->heads));
	ledger->oldest = ledger->newest = ledger->unused = NONE;
	ledger->fresh = 0;
}

struct msgq_ledger *msgq_ledger_new(void)
{
	struct msgq_ledger *ledger = malloc(sizeof(*ledger));

	if (ledger) {
		msgq_ledger_clear(ledger);
	}
	return ledger;
}

void msgq_ledger_free(struct msgq_ledger *ledger)
{
	free(ledger);
}

/* Knuth's multiplicative hash: neighbouring types, such as process numbers, spread well. */
static uint16_t *head_of(struct msgq_ledger *ledger, int32_t type)
{
	return &ledger->heads[((uint32_t)type * 2654435769u >> 16) % MSGQ_LEDGER_TYPES];
}

static void unlink_by_age(struct msgq_ledger *ledger, uint16_t index)
{
	struct entry *entry = &ledger->entries[index];

	if (entry->older == NONE) {
		ledger->oldest = entry->newer;
	} else {
		ledger->entries[entry->older].newer = entry->newer;
	}
	if (entry->newer == NONE) {
		ledger->newest = entry->older;
	} else {
		ledger->entries[entry->newer].older = entry->older;
	}
}

static void link_newest(struct msgq_ledger *ledger, uint16_t index, uint64_t now_ns)
{
	struct entry *entry = &ledger->entries[index];

	entry->began_ns = now_ns;
	entry->since = 0;
	entry->older = ledger->newest;
	entry->newer = NONE;
	if (ledger->newest == NONE) {
		ledger->oldest = index;
	} else {
		ledger->entries[ledger->newest].newer = index;
	}
	ledger->newest = index;
}

static uint16_t take_unused(struct msgq_ledger *ledger)
{
	uint16_t index = ledger->unused;

	if (index != NONE) {
		ledger->unused = ledger->entries[index].chain;
	} else if (ledger->fresh < MSGQ_LEDGER_TYPES) {
		index = ledger->fresh++;
	}
	return index;
}

bool msgq_ledger_note(struct msgq_ledger *ledger, int32_t type, uint64_t now_ns)
{
	uint16_t *head = head_of(ledger, type);
	uint16_t index = *head;

	while (index != NONE && ledger->entries[index].type != type) {
		index = ledger->entries[index].chain;
	}
	if (index != NONE) {
		ledger->entries[index].since++;
	} else {
		index = take_unused(ledger);
		if (index == NONE) {
			return false;
		}
		ledger->entries[index].type = type;
		ledger->entries[index].chain = *head;
		*head = index;
		link_newest(ledger, index, now_ns);
	}
	ledger->entries[index].latest_ns = now_ns;
	return true;
}

bool msgq_ledger_is_full(const struct msgq_ledger *ledger)
{
	return ledger->unused == NONE && ledger->fresh == MSGQ_LEDGER_TYPES;
}

uint64_t msgq_ledger_oldest_ns(const struct msgq_ledger *ledger)
{
	return ledger->oldest == NONE ? CLOCK_NEVER : ledger->entries[ledger->oldest].began_ns;
}

int32_t msgq_ledger_expire(struct msgq_ledger *ledger, uint64_t oldest_ns, uint64_t now_ns,
	uint32_t *keep)
{
	uint16_t index = ledger->oldest;
	struct entry *entry;
	uint16_t *link;

	if (msgq_ledger_oldest_ns(ledger) > oldest_ns) {
		return 0;
	}
	entry = &ledger->entries[index];
	unlink_by_age(ledger, index);
	if (entry->latest_ns > oldest_ns) {
		*keep = entry->since;
		link_newest(ledger, index, now_ns);
		return entry->type;
	}
	*keep = 0;
	link = head_of(ledger, entry->type);
	while (*link != index) {
		link = &ledger->entries[*link].chain;
	}
	*link = entry->chain;
	entry->chain = ledger->unused;
	ledger->unused = index;
	return entry->type;
}
