/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/address.h"

/* What was taken has a canonical form, and that is its own canonical form. */
static void check_taken(const struct address *address)
{
	struct address again;
	char text[ADDRESS_TEXT_MAX];
	char same[ADDRESS_TEXT_MAX];
	size_t len = address_format(address, text, sizeof(text));
	const char *why;

	assert(len < sizeof(text) && strlen(text) == len);
	assert(address_parse(&again, text, len, &why) == 0);
	assert(address_equal(address, &again));
	address_format(&again, same, sizeof(same));
	assert(strcmp(text, same) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct address address;
	const char *why = NULL;

	if (address_parse(&address, text, len, &why) == 0) {
		check_taken(&address);
	} else {
		assert(why);
	}
	why = NULL;
	if (address_parse_target(&address, ADDRESS_UDP, text, len, &why) == 0) {
		check_taken(&address);
		assert(!address_is_inet(&address) || address.host[0]);
	} else {
		assert(why);
	}
	return 0;
}
