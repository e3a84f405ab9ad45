/* SPDX-License-Identifier: MIT */
#include "unit/guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guard_init(struct guard *guard)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + page, page, PROT_READ | PROT_WRITE) < 0) {
		abort();
	}
	guard->page = map + page;
	guard->page_bytes = page;
}

void guard_fini(struct guard *guard)
{
	munmap(guard->page - guard->page_bytes, 3 * guard->page_bytes);
}

static char *copy_to(struct guard *guard, size_t offset, const void *bytes, size_t len)
{
	if (len > guard->page_bytes) {
		abort();
	}
	if (len > 0) {
		memcpy(guard->page + offset, bytes, len);
	}
	return guard->page + offset;
}

char *guard_at_end(struct guard *guard, const void *bytes, size_t len)
{
	return copy_to(guard, guard->page_bytes - len, bytes, len);
}

char *guard_at_start(struct guard *guard, const void *bytes, size_t len)
{
	return copy_to(guard, 0, bytes, len);
}
