/* SPDX-License-Identifier: MIT */
#include "daemon/ingress/fdpass_acceptor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/ingress/acceptor.h"
#include "daemon/ingress/fdpass_gate.h"

/* Clients that may leave the gate in one turn of the loop. */
#define TURN_CLIENTS 64

/* What is read of the input of a client that is turned away. */
#define SKIP_BYTES 4096
#define SKIP_TRIES 64

/* How long clients at the gate may still take when the server stops. */
#define LAST_CALL_NS (500 * CLOCK_MS)

/* Between two tries for a spare descriptor then. */
#define STARVED_MS 10

/*
 * The role's own. SPARE_FD is held while a client is accepted and let go when its descriptor is
 * received: so there is room for that, whatever else has used up the limit.
 */
struct fdpass_acceptor {
	struct fdpass_gate *gate;
	int spare_fd;			/* -1: let go */
};

/* Hold the spare descriptor. Returns false with errno if there is none. */
static bool ready(struct ingress *ingress)
{
	struct fdpass_acceptor *role = acceptor_context(ingress);

	if (role->spare_fd < 0) {
		role->spare_fd = io_event_open();
	}
	return role->spare_fd >= 0;
}

/*
 * Tell a client WHY it is turned away, if it is still there, and close. Drain its input first:
 * closing over unread input sends a reset.
 */
static void dismiss(struct ingress *ingress, int *conn_fd, unsigned source, const char *why)
{
	char skipped[SKIP_BYTES];

	for (int i = 0; i < SKIP_TRIES; i++) {
		if (fdpass_skip(*conn_fd, skipped, sizeof(skipped)) <= 0) {
			break;
		}
	}
	if (why) {
		(void)!send(*conn_fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	connections_release(ingress->connections);
	connections_close(ingress->connections, conn_fd, source);
}

static void refused(struct ingress *ingress, int *conn_fd, unsigned source)
{
	dismiss(ingress, conn_fd, source,
		PROTOCOL_ERROR_PREFIX "the limit of open connections is reached: try again\n");
}

/* Turn away a client that sent no usable descriptor. */
static void turn_away(struct ingress *ingress, struct fdpass_client *client)
{
	const char *why = NULL;
	enum stats_drop reason = STATS_FD_REFUSED;

	switch (client->result) {
	case FDPASS_NONE:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came with the first byte\n";
		break;
	case FDPASS_TOO_MANY:
		why = PROTOCOL_ERROR_PREFIX "more came than one descriptor\n";
		break;
	case FDPASS_SHORTAGE:
		why = PROTOCOL_ERROR_PREFIX "the server had no descriptor left: try again\n";
		reason = STATS_SHORTAGE;
		break;
	case FDPASS_LATER:
		why = PROTOCOL_ERROR_PREFIX "no descriptor came in time\n";
		reason = STATS_EXPIRED;
		break;
	default:
		reason = STATS_CLIENT_GONE;
	}
	acceptor_count_drop(ingress, client->listener, reason);
	fdpass_discard(&client->passed_fd);
	dismiss(ingress, &client->conn_fd, client->source, why);
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
	struct fdpass_acceptor *role = acceptor_context(ingress);
	struct request_batch batch = { NULL, NULL, 0 };
	struct fdpass_client client;

	for (int i = 0; i < TURN_CLIENTS && fdpass_gate_due_ns(role->gate) != CLOCK_NEVER &&
	     ready(ingress); i++) {
		bool left;

		io_close(&role->spare_fd);
		left = fdpass_gate_leave(role->gate, now_ns, &client);
		(void)ready(ingress);
		if (!left) {
			break;
		}
		settle(ingress, &client, &batch);
	}
	ingress_push(ingress, &batch);
}

/* Most clients pass their descriptor at once. The others wait at the gate. */
static void accepted(struct ingress *ingress, struct request *request, struct request_batch *batch)
{
	struct fdpass_acceptor *role = acceptor_context(ingress);
	struct fdpass_client client = {
		.listener = request->listener,
		.conn_fd = request->conn_fd,
		.source = request->source,
	};

	request_pool_untake(ingress->pool, request);
	io_close(&role->spare_fd);
	client.result = fdpass_receive(client.conn_fd, &client.passed_fd);
	(void)ready(ingress);
	if (client.result != FDPASS_LATER ||
	    fdpass_gate_enter(role->gate, &client, clock_now_ns())) {
		settle(ingress, &client, batch);
	}
}

static void turn(struct ingress *ingress)
{
	empty_gate(ingress, clock_now_ns());
}

static uint64_t due_ns(struct ingress *ingress)
{
	const struct fdpass_acceptor *role = acceptor_context(ingress);

	return fdpass_gate_due_ns(role->gate);
}

static void free_role(struct fdpass_acceptor *role)
{
	if (role) {
		fdpass_gate_free(role->gate);
		io_close(&role->spare_fd);
		free(role);
	}
}

/* Clients that are connected, but have not passed their descriptor yet. */
static void drain_gate(struct ingress *ingress)
{
	struct fdpass_acceptor *role = acceptor_context(ingress);
	struct fdpass_gate *gate = role->gate;
	struct pollfd watched = { .fd = fdpass_gate_fd(gate), .events = POLLIN };
	uint64_t end_ns = clock_now_ns() + LAST_CALL_NS;

	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER && clock_now_ns() < end_ns) {
		bool starved = !ready(ingress);

		poll(&watched, !starved, starved ? STARVED_MS : clock_poll_ms(end_ns));
		empty_gate(ingress, clock_now_ns());
	}
	while (fdpass_gate_due_ns(gate) != CLOCK_NEVER && ready(ingress)) {
		empty_gate(ingress, CLOCK_NEVER - 1);
	}
	free_role(role);
}

static const struct acceptor_hooks hooks = {
	.thread_name = "fdpass-acceptor",
	.descriptors = 2,
	.accepted = accepted,
	.ready = ready,
	.refused = refused,
	.turn = turn,
	.due_ns = due_ns,
	.drain = drain_gate,
};

int fdpass_acceptor_start(struct ingress *ingress)
{
	struct fdpass_acceptor *role = malloc(sizeof(*role));
	int error = ENOMEM;

	if (role) {
		role->spare_fd = io_event_open();
		role->gate = fdpass_gate_new();
		if (role->gate && acceptor_start_role(ingress, &hooks, role,
					  fdpass_gate_fd(role->gate)) == 0) {
			return 0;
		}
		error = errno;
	}
	free_role(role);
	errno = error;
	return -1;
}
