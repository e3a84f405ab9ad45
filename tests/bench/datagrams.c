/* SPDX-License-Identifier: MIT */
/*
 * A UDP server that answers with a constant, built in several ways: doc/decisions/0006, 0007, 0008
 * and 0010. Settings, besides those of hand_off.h:
 *
 *	batch=64		the most that one recvmmsg() takes, up to 128
 *	rcvbuf=0		bytes to ask for as receive buffer; 0: what listener.c has asked for
 *	wait=poll		poll(), then recvmmsg() without waiting
 *	wait=waitforone		recvmmsg() waits for the first datagram
 *	aside=0			1: sched_yield() after a batch that woke no worker, as
 *				ingress_yield()
 *
 *	travels=requests	a chain of requests that the kernel has written source and control
 *				message into; the worker makes its headers anew
 *	travels=copies		the same, but they are copied into the requests
 *	travels=object		all that recvmmsg() has filled, its headers included, as one object
 *
 *	worker=1		a thread of its own answers; 0: the one that receives
 *	listen=ADDRESS
 *
 * Prints at its end what was received, and the system calls of the hand-off.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/hand_off.h"
#include "bench/shape.h"
#include "common/protocol.h"

#define BATCH_MAX     128
#define REQUESTS      4096
#define PAYLOAD_BYTES (PROTOCOL_EXTENDED_MAX_BYTES + 1)
#define CONTROL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

static const char line[] =
	" 12:34:56 up 12 days,  3:45,  2 users,  load average: 0.12, 0.34, 0.56\n";
#define LINE_BYTES (sizeof(line) - 1)

struct origin {
	struct sockaddr_in6 peer;
	_Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
};

struct request {
	struct queue_node node;		/* in the first of a chain */
	struct request *next;
	struct origin origin;
	socklen_t peer_len;
	size_t control_len;
	struct protocol_request asked;
};

/* What one recvmmsg() works with. */
struct object {
	struct queue_node node;
	unsigned count;
	struct mmsghdr messages[BATCH_MAX];
	struct iovec parts[BATCH_MAX];
	struct origin origins[BATCH_MAX];
	struct request *requests[BATCH_MAX];	/* those behind the messages, if requests travel */
	uint8_t payloads[BATCH_MAX][PAYLOAD_BYTES];
};

/* What one sendmmsg() works with, of the thread that answers. */
struct outgoing {
	struct mmsghdr messages[BATCH_MAX];
	struct iovec parts[BATCH_MAX][2];
	uint8_t headers[BATCH_MAX][PROTOCOL_ANSWER_HEADER_BYTES];
};

enum travels { TRAVELS_REQUESTS, TRAVELS_COPIES, TRAVELS_OBJECT };
static const char *const travels_names[] = { "requests", "copies", "object" };
static const char *const wait_names[] = { "poll", "waitforone" };

static enum travels travels;
static unsigned batch;
static bool in_thread;
static int sock_fd;
static struct hand_off *received;
static struct hand_off *returned;
static _Atomic uint64_t received_count;	/* relaxed: a figure for the end */

/* The receiver's own: what came back and is not used yet. */
static struct queue_node *unused;

static struct queue_node *next_unused(void)
{
	struct queue_node *node;

	if (!unused) {
		unused = hand_off_take(returned);
	}
	node = unused;
	unused = node->next;
	return node;
}

/* What came back is chains; each of their requests is to be had by itself. */
static struct request *next_request(void)
{
	static struct request *chain;
	struct request *request;

	if (!chain) {
		chain = (struct request *)(void *)next_unused();
	}
	request = chain;
	chain = request->next;
	return request;
}

static void give_back(struct queue_node *node)
{
	if (in_thread) {
		node->next = unused;
		unused = node;
	} else {
		hand_off_push(returned, node);
	}
}

static struct request *request_new(void)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request) {
		shape_die("calloc");
	}
	return request;
}

static struct object *object_new(void)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object) {
		shape_die("calloc");
	}
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		object->parts[i].iov_base = object->payloads[i];
		object->messages[i].msg_hdr.msg_iov = &object->parts[i];
		object->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return object;
}

static void arm(struct object *object)
{
	for (unsigned i = 0; i < batch; i++) {
		struct msghdr *header = &object->messages[i].msg_hdr;
		struct origin *origin = &object->origins[i];

		if (travels == TRAVELS_REQUESTS) {
			if (!object->requests[i]) {
				object->requests[i] = next_request();
			}
			origin = &object->requests[i]->origin;
		}
		object->parts[i] = (struct iovec){ object->payloads[i], PAYLOAD_BYTES };
		header->msg_name = &origin->peer;
		header->msg_namelen = sizeof(origin->peer);
		header->msg_control = origin->control;
		header->msg_controllen = sizeof(origin->control);
	}
}

/* Chain the requests of OBJECT. */
static struct queue_node *chain_requests(struct object *object)
{
	struct request *first = NULL;

	for (unsigned i = object->count; i-- > 0;) {
		struct msghdr *header = &object->messages[i].msg_hdr;
		struct request *request = object->requests[i];

		if (travels == TRAVELS_COPIES) {
			request = next_request();
			memcpy(&request->origin.peer, header->msg_name, header->msg_namelen);
			memcpy(request->origin.control, header->msg_control,
				header->msg_controllen);
		}
		object->requests[i] = NULL;
		request->peer_len = header->msg_namelen;
		request->control_len = header->msg_controllen;
		protocol_parse_request(object->payloads[i], object->messages[i].msg_len,
			&request->asked);
		request->next = first;
		first = request;
	}
	return &first->node;
}

static void send_all(struct mmsghdr *messages, unsigned count)
{
	unsigned done = 0;

	while (done < count) {
		int sent = sendmmsg(sock_fd, messages + done, count - done, MSG_DONTWAIT);

		done += sent > 0 ? (unsigned)sent : 1;
	}
}

static void answer_requests(struct queue_node *node)
{
	static struct outgoing out;
	unsigned count = 0;

	for (struct request *request = (struct request *)(void *)node; request;
	     request = request->next) {
		bool extended = request->asked.kind == PROTOCOL_EXTENDED;
		struct iovec *parts = out.parts[count];

		protocol_write_answer_header(out.headers[count], request->asked.nonce);
		parts[0] = (struct iovec){ out.headers[count], PROTOCOL_ANSWER_HEADER_BYTES };
		parts[1] = (struct iovec){ (char *)(uintptr_t)line, LINE_BYTES };
		out.messages[count++].msg_hdr = (struct msghdr){
			.msg_name = &request->origin.peer,
			.msg_namelen = request->peer_len,
			.msg_iov = extended ? parts : parts + 1,
			.msg_iovlen = extended ? 2 : 1,
			.msg_control = request->origin.control,
			.msg_controllen = request->control_len,
		};
	}
	send_all(out.messages, count);
}

/* The nonce stays where it is, and the line is written behind it. */
static void answer_object(struct queue_node *node)
{
	struct object *object = (struct object *)(void *)node;

	for (unsigned i = 0; i < object->count; i++) {
		struct protocol_request asked;
		uint8_t *payload = object->payloads[i];

		protocol_parse_request(payload, object->messages[i].msg_len, &asked);
		if (asked.kind == PROTOCOL_EXTENDED) {
			protocol_write_answer_header(payload, asked.nonce);
			memcpy(payload + PROTOCOL_ANSWER_HEADER_BYTES, line, LINE_BYTES);
			object->parts[i].iov_len = PROTOCOL_ANSWER_HEADER_BYTES + LINE_BYTES;
		} else {
			object->parts[i] = (struct iovec){ (char *)(uintptr_t)line, LINE_BYTES };
		}
	}
	send_all(object->messages, object->count);
}

static void answer(struct queue_node *node)
{
	if (travels == TRAVELS_OBJECT) {
		answer_object(node);
	} else {
		answer_requests(node);
	}
	give_back(node);
}

static void *work(void *none)
{
	for (;;) {
		struct queue_node *taken = hand_off_take(received);

		while (taken) {
			struct queue_node *next = taken->next;

			answer(taken);
			taken = next;
		}
	}
	return none;
}

static void pass_on(struct queue_node *node, bool aside)
{
	if (in_thread) {
		answer(node);
	} else if (!hand_off_push(received, node) && aside) {
		sched_yield();
	}
}

static void *receive(void *none)
{
	struct pollfd ready = { .fd = sock_fd, .events = POLLIN };
	bool aside = shape_number("aside", 0);
	bool polls = shape_choice("wait", wait_names, 2) == 0;
	struct object *object = travels == TRAVELS_OBJECT ? NULL : object_new();

	for (;;) {
		int got;

		if (travels == TRAVELS_OBJECT) {
			object = (struct object *)(void *)next_unused();
		}
		arm(object);
		do {
			if (polls) {
				poll(&ready, 1, -1);
			}
			got = recvmmsg(sock_fd, object->messages, batch,
				polls ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
		} while (got <= 0);
		atomic_fetch_add_explicit(&received_count, (unsigned)got, memory_order_relaxed);
		object->count = (unsigned)got;
		pass_on(travels == TRAVELS_OBJECT ? &object->node : chain_requests(object), aside);
	}
	return none;
}

static void fill_pool(void)
{
	unsigned count = travels == TRAVELS_OBJECT ? REQUESTS / BATCH_MAX : REQUESTS;

	for (unsigned i = 0; i < count; i++) {
		hand_off_push(returned, travels == TRAVELS_OBJECT ? &object_new()->node
								  : &request_new()->node);
	}
}

static void prepare_socket(void)
{
	int bytes = (int)shape_number("rcvbuf", 0);
	int one = 1;

	/* It is made for poll(), and MSG_WAITFORONE would not wait. */
	fcntl(sock_fd, F_SETFL, 0);
	setsockopt(sock_fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (bytes) {
		setsockopt(sock_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	}
}

int main(int argc, char **argv)
{
	shape_begin(argc, argv);
	travels = (enum travels)shape_choice("travels", travels_names, 3);
	batch = (unsigned)shape_number("batch", 64);
	in_thread = !shape_number("worker", 1);
	if (!batch || batch > BATCH_MAX) {
		fprintf(stderr, "batch=1..%d\n", BATCH_MAX);
		return 2;
	}
	received = hand_off_new();
	returned = hand_off_new();
	sock_fd = shape_listen();
	prepare_socket();
	fill_pool();
	shape_thread(receive, NULL);
	if (!in_thread) {
		shape_thread(work, NULL);
	}
	shape_wait();
	fprintf(stderr, "received=%llu wakes=%llu sleeps=%llu\n",
		(unsigned long long)atomic_load_explicit(&received_count, memory_order_relaxed),
		(unsigned long long)hand_off_wakes(received),
		(unsigned long long)hand_off_sleeps(received));
	return 0;
}
