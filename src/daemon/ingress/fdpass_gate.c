/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/fdpass_gate.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "common/clock.h"
#include "common/io.h"

#define PATIENCE_NS (FDPASS_GATE_PATIENCE_S * CLOCK_S)

/* All have the same patience, so the order of entering is the order of deadlines. */
struct place {
	struct place *older;
	struct place *newer;	/* among the unused: the next one */
	const struct listener *listener;
	int conn_fd;
	unsigned source;
	uint64_t due_ns;
};

struct fdpass_gate {
	int watch_fd;		/* epoll over all connections */
	struct place *oldest;
	struct place *newest;
	struct place *unused;
	struct place places[FDPASS_GATE_MAX];
};

struct fdpass_gate *fdpass_gate_new(void)
{
	struct fdpass_gate *gate = calloc(1, sizeof(*gate));

	if (!gate) {
		return NULL;
	}
	gate->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (gate->watch_fd < 0) {
		free(gate);
		return NULL;
	}
	for (unsigned i = 0; i < FDPASS_GATE_MAX; i++) {
		gate->places[i].newer = gate->unused;
		gate->unused = &gate->places[i];
	}
	return gate;
}

/* Vacate PLACE: its connection goes to *CLIENT, and what it has sent by now. */
static void vacate(struct fdpass_gate *gate, struct place *place, struct fdpass_client *client)
{
	*client = (struct fdpass_client){
		.listener = place->listener,
		.conn_fd = place->conn_fd,
		.source = place->source,
	};
	client->result = fdpass_receive(place->conn_fd, &client->passed_fd);
	epoll_ctl(gate->watch_fd, EPOLL_CTL_DEL, place->conn_fd, NULL);
	*(place->older ? &place->older->newer : &gate->oldest) = place->newer;
	*(place->newer ? &place->newer->older : &gate->newest) = place->older;
	place->newer = gate->unused;
	gate->unused = place;
}

void fdpass_gate_free(struct fdpass_gate *gate)
{
	if (gate) {
		while (gate->oldest) {
			struct fdpass_client client;

			vacate(gate, gate->oldest, &client);
			fdpass_discard(&client.passed_fd);
			io_close(&client.conn_fd);
		}
		io_close(&gate->watch_fd);
		free(gate);
	}
}

bool fdpass_gate_enter(struct fdpass_gate *gate, struct fdpass_client *client, uint64_t now_ns)
{
	const struct fdpass_client entering = *client;
	struct epoll_event event = { .events = EPOLLIN };
	bool crowded = !gate->unused;
	struct place *place;

	if (crowded) {
		vacate(gate, gate->oldest, client);
	}
	place = gate->unused;
	gate->unused = place->newer;
	*place = (struct place){
		.older = gate->newest,
		.listener = entering.listener,
		.conn_fd = entering.conn_fd,
		.source = entering.source,
		.due_ns = now_ns + PATIENCE_NS,
	};
	*(gate->newest ? &gate->newest->newer : &gate->oldest) = place;
	gate->newest = place;
	event.data.ptr = place;
	/* The kernel cannot watch it, so it would wait in vain: it leaves, and no other. */
	if (epoll_ctl(gate->watch_fd, EPOLL_CTL_ADD, entering.conn_fd, &event) < 0 && !crowded) {
		vacate(gate, place, client);
		return true;
	}
	return crowded;
}

int fdpass_gate_fd(const struct fdpass_gate *gate)
{
	return gate->watch_fd;
}

uint64_t fdpass_gate_due_ns(const struct fdpass_gate *gate)
{
	return gate->oldest ? gate->oldest->due_ns : CLOCK_NEVER;
}

bool fdpass_gate_leave(struct fdpass_gate *gate, uint64_t now_ns, struct fdpass_client *client)
{
	struct epoll_event event;

	if (epoll_wait(gate->watch_fd, &event, 1, 0) == 1) {
		vacate(gate, event.data.ptr, client);
		/* Readable, and yet nothing to receive (such as MSG_OOB): not again and again. */
		if (client->result == FDPASS_LATER) {
			client->result = FDPASS_NONE;
		}
		return true;
	}
	if (fdpass_gate_due_ns(gate) <= now_ns) {
		vacate(gate, gate->oldest, client);
		return true;
	}
	return false;
}
