/* SPDX-License-Identifier: MIT */
#include "client/ask/ask.h"

#define FIRST_REST_NS	   (100 * CLOCK_MS)
#define FIRST_WAIT_REST_NS CLOCK_S
#define LONGEST_REST_NS	   (64 * CLOCK_S)

static uint64_t doubled(uint64_t first_ns, unsigned tries)
{
	uint64_t rest_ns = first_ns;

	for (unsigned i = 1; i < tries && rest_ns < LONGEST_REST_NS; i++) {
		rest_ns *= 2;
	}
	return rest_ns < LONGEST_REST_NS ? rest_ns : LONGEST_REST_NS;
}

uint64_t ask_rest_ns(const struct ask_options *options, unsigned tries, uint64_t elapsed_ns,
	uint16_t random)
{
	uint64_t rest_ns;

	if (options->wait) {
		if (elapsed_ns >= options->wait_ns) {
			return ASK_NO_MORE;
		}
		rest_ns = doubled(FIRST_WAIT_REST_NS, tries);
		return rest_ns < options->wait_ns - elapsed_ns ? rest_ns
							       : options->wait_ns - elapsed_ns;
	}
	if (tries >= options->tries) {
		return ASK_NO_MORE;
	}
	rest_ns = doubled(FIRST_REST_NS, tries);
	return rest_ns - rest_ns / 4 + rest_ns / 2 * random / UINT16_MAX;
}
