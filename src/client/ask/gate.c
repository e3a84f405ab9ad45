/* SPDX-License-Identifier: MIT */
#include "client/ask/gate.h"

#define CATCH_UP_NS (10 * CLOCK_MS)

void gate_init(struct gate *gate, uint64_t interval_ns)
{
	*gate = (struct gate){ .interval_ns = interval_ns };
	gate->ends.older = &gate->ends;
	gate->ends.younger = &gate->ends;
}

void gate_return(struct gate *gate, struct gate_pass *pass)
{
	if (pass->asked_ns) {
		pass->older->younger = pass->younger;
		pass->younger->older = pass->older;
		pass->asked_ns = 0;
		gate->open--;
	}
}

int gate_is_open(struct gate *gate, uint64_t now_ns, uint64_t *wake_ns)
{
	uint64_t opens_ns = now_ns;

	while (gate->open && now_ns - gate->ends.younger->asked_ns >= GATE_OPEN_NS) {
		gate_return(gate, gate->ends.younger);
	}
	if (gate->open >= GATE_OPEN_MAX) {
		opens_ns = gate->ends.younger->asked_ns + GATE_OPEN_NS;
	}
	if (opens_ns < gate->next_ns) {
		opens_ns = gate->next_ns;
	}
	if (opens_ns > now_ns && *wake_ns > opens_ns) {
		*wake_ns = opens_ns;
	}
	return opens_ns <= now_ns;
}

void gate_pass(struct gate *gate, struct gate_pass *pass, uint64_t now_ns)
{
	gate_return(gate, pass);
	pass->asked_ns = now_ns ? now_ns : 1;
	pass->younger = &gate->ends;
	pass->older = gate->ends.older;
	pass->older->younger = pass;
	gate->ends.older = pass;
	gate->open++;
	/* A loop that wakes a little late keeps the pace; one that slept begins anew. */
	gate->next_ns = (now_ns - gate->next_ns < CATCH_UP_NS ? gate->next_ns : now_ns) +
			gate->interval_ns;
}
