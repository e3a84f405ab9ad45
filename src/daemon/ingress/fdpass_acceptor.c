/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/fdpass_acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "daemon/ingress/acceptor.h"
#include "daemon/ingress/fdpass_gate.h"

/* Clients that may leave the gate in one turn of the loop. */
#define TURN_CLIENTS 64

/* What is read of the input of a client that is turned away. */
#define SKIP_BYTES 4096
#define SKIP_TRIES 64

/* How long clients at the gate may still take when the server stops. */
#define LAST_CALL_NS (500 * CLOCK_MS)

/*
 * Turn away a client that sent no usable descriptor. Drain its input first: closing over unread
 * input sends a reset.
 */
static void turn_away(struct ingress *ingress, struct fdpass_client *client)
{
	const char *why = NULL;
	enum stats_drop reason = STATS_FD_REFUSED;
	char skipped[SKIP_BYTES];

	switch (client->result) {
	case FDPASS_NONE:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came with the first byte\n";
		break;
	case FDPASS_TOO_MANY:
		why = PROTOCOL_ERROR_PREFIX "more came than one descriptor\n";
		break;
	case FDPASS_LATER:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came in time\n";
		reason = STATS_EXPIRED;
		break;
	default:
		reason = STATS_CLIENT_GONE;
	}
	for (int i = 0; i < SKIP_TRIES; i++) {
		if (fdpass_skip(client->conn_fd, skipped, sizeof(skipped)) <= 0) {
			break;
		}
	}
	if (why) {
		(void)!send(client->conn_fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	acceptor_count_drop(ingress, client->listener, reason);
	fdpass_discard(&client->passed_fd);
	connections_close(ingress->connections, &client->conn_fd, client->source);
}

/* Queue a client that has passed a descriptor; turn away any other. Takes what CLIENT holds. */
static void settle(struct ingress *ingress, struct fdpass_client *client,
	struct request_batch *batch)
{
	struct request *request;

	if (client->result != FDPASS_GOT) {
		turn_away(ingress, client);
		return;
	}
	if (batch->first && batch->first->listener != client->listener) {
		ingress_push(ingress, batch);
	}
	request = ingress_take(ingress, batch);
	request->listener = client->listener;
	request->conn_fd = client->conn_fd;
	request->source = client->source;
	request->passed_fd = client->passed_fd;
	request_batch_add(batch, request);
}

/* Settle the clients that may leave the gate at NOW_NS. */
static void empty_gate(struct ingress *ingress, uint64_t now_ns)
{
	struct fdpass_gate *gate = acceptor_context(ingress);
	struct request_batch batch = { NULL, NULL, 0 };
	struct fdpass_client client;

	for (int i = 0; i < TURN_CLIENTS && fdpass_gate_leave(gate, now_ns, &client); i++) {
		settle(ingress, &client, &batch);
	}
	ingress_push(ingress, &batch);
}

/* Most clients pass their descriptor at once. The others wait at the gate. */
static void accepted(struct ingress *ingress, struct request *request, struct request_batch *batch)
{
	struct fdpass_client client = {
		.listener = request->listener,
		.conn_fd = request->conn_fd,
		.source = request->source,
	};

	request_pool_untake(ingress->pool, request);
	client.result = fdpass_receive(client.conn_fd, &client.passed_fd);
	if (client.result != FDPASS_LATER ||
	    fdpass_gate_enter(acceptor_context(ingress), &client, clock_now_ns())) {
		settle(ingress, &client, batch);
	}
}

static void turn(struct ingress *ingress)
{
	empty_gate(ingress, clock_now_ns());
}

static uint64_t due_ns(struct ingress *ingress)
{
	return fdpass_gate_due_ns(acceptor_context(ingress));
}

/* Clients that are connected, but have not passed their descriptor yet. */
static void drain_gate(struct ingress *ingress)
{
	struct fdpass_gate *gate = acceptor_context(ingress);
	struct pollfd watched = { .fd = fdpass_gate_fd(gate), .events = POLLIN };
	uint64_t end_ns = clock_now_ns() + LAST_CALL_NS;

	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER && clock_now_ns() < end_ns) {
		poll(&watched, 1, clock_poll_ms(end_ns));
		empty_gate(ingress, clock_now_ns());
	}
	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER) {
		empty_gate(ingress, CLOCK_NEVER - 1);
	}
	fdpass_gate_free(gate);
}

static const struct acceptor_hooks hooks = {
	.thread_name = "fdpass-acceptor",
	.accepted = accepted,
	.turn = turn,
	.due_ns = due_ns,
	.drain = drain_gate,
};

int fdpass_acceptor_start(struct ingress *ingress)
{
	struct fdpass_gate *gate = fdpass_gate_new();
	int error;

	if (gate && acceptor_start_role(ingress, &hooks, gate, fdpass_gate_fd(gate)) == 0) {
		return 0;
	}
	error = errno;
	fdpass_gate_free(gate);
	errno = error;
	return -1;
}
