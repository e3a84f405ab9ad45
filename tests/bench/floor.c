/* SPDX-License-Identifier: MIT */
/*
 * The floor: servers that do nothing but answer with a constant, as tightly as the transport
 * allows, to measure others against. And the book's server, which runs uptime for each client.
 *
 *	floor ADDRESS		tcp, udp, unix or msgq, as ruptimed takes it
 *	floor --popen ADDRESS	tcp: popen("uptime") for each connection, one after the other
 *
 * Prints "listening ADDRESS" on standard error like ruptimed, and runs until it is killed.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/address.h"
#include "common/protocol.h"
#include "common/resolve.h"

#define BACKLOG	       65535
#define MESSAGES       64
#define REPLY_BIT      0x40000000u
#define RECEIVE_BUFFER (4 << 20)

/* Of the usual length. */
static const char line[] =
	" 12:34:56 up 12 days,  3:45,  2 users,  load average: 0.12, 0.34, 0.56\n";
#define LINE_BYTES (sizeof(line) - 1)

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void announce(const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(address, text, sizeof(text));
	fprintf(stderr, "listening %s\n", text);
}

static int open_inet(struct address *address)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct addrinfo *list;
	const char *why = "";
	int one = 1;
	int bytes = RECEIVE_BUFFER;
	int fd;

	if (resolve_port(address, &why) < 0 ||
	    resolve_sockets(address, AF_UNSPEC, &list, &why) < 0) {
		fprintf(stderr, "floor: %s\n", why);
		exit(2);
	}
	fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) < 0 ||
	    (address->scheme == ADDRESS_TCP && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		die("listen");
	}
	resolve_free(list);
	resolve_describe((struct sockaddr *)&bound, len, address->scheme, address);
	return fd;
}

static int open_unix(const struct address *address)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(name.sun_path, address->path, strlen(address->path));
	unlink(address->path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		die("listen");
	}
	return fd;
}

static _Noreturn void serve_stream(int listen_fd)
{
	for (;;) {
		int conn_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn_fd >= 0) {
			(void)!send(conn_fd, line, LINE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
			close(conn_fd);
		}
	}
}

static _Noreturn void serve_popen(int listen_fd)
{
	for (;;) {
		int conn_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		FILE *command = popen(UPTIME_COMMAND, "r");
		char text[256];

		if (conn_fd >= 0 && command && fgets(text, sizeof(text), command)) {
			(void)!send(conn_fd, text, strlen(text), MSG_NOSIGNAL);
		}
		if (command) {
			pclose(command);
		}
		if (conn_fd >= 0) {
			close(conn_fd);
		}
	}
}

static _Noreturn void serve_datagrams(int fd)
{
	static struct sockaddr_storage peers[MESSAGES];
	static char payloads[MESSAGES][PROTOCOL_EXTENDED_MAX_BYTES];
	static struct iovec in[MESSAGES];
	static struct iovec out[MESSAGES];
	static struct mmsghdr messages[MESSAGES];

	for (int i = 0; i < MESSAGES; i++) {
		in[i] = (struct iovec){ payloads[i], sizeof(payloads[i]) };
		messages[i].msg_hdr.msg_name = &peers[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int got;

		for (int i = 0; i < MESSAGES; i++) {
			messages[i].msg_hdr.msg_namelen = sizeof(peers[i]);
			messages[i].msg_hdr.msg_iov = &in[i];
		}
		got = recvmmsg(fd, messages, MESSAGES, MSG_WAITFORONE, NULL);
		for (int i = 0; i < got; i++) {
			bool extended = messages[i].msg_len > PROTOCOL_ANSWER_HEADER_BYTES;
			size_t skipped = extended ? 0 : PROTOCOL_ANSWER_HEADER_BYTES;

			/* The extended form: the nonce stays where it is, in front of the line. */
			memcpy(payloads[i], "RUr1", extended ? 4 : 0);
			memcpy(payloads[i] + PROTOCOL_ANSWER_HEADER_BYTES, line, LINE_BYTES);
			out[i].iov_base = payloads[i] + skipped;
			out[i].iov_len = PROTOCOL_ANSWER_HEADER_BYTES - skipped + LINE_BYTES;
			messages[i].msg_hdr.msg_iov = &out[i];
		}
		if (got > 0) {
			(void)!sendmmsg(fd, messages, (unsigned)got, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
	}
}

struct message {
	long type;
	char text[256];
};

static int queue_ids[2] = { -1, -1 };
static int feed_fds[2];

static void remove_queues(int signal_number)
{
	msgctl(queue_ids[0], IPC_RMID, NULL);
	msgctl(queue_ids[1], IPC_RMID, NULL);
	_exit(signal_number == SIGTERM ? 0 : 1);
}

static void *feed(void *unused)
{
	struct message message;

	for (;;) {
		ssize_t len = msgrcv(queue_ids[0], &message, sizeof(message.text), 0, MSG_NOERROR);

		if (len >= 0) {
			(void)!send(feed_fds[1], &message, sizeof(long) + (size_t)len, 0);
		}
	}
	return unused;
}

/* msgrcv -> socketpair -> poll -> msgsnd. */
static _Noreturn void serve_msgq(const struct address *address)
{
	struct pollfd ready;
	struct message message;
	struct message reply;
	pthread_t thread;

	queue_ids[0] = msgget((key_t)address->key, IPC_CREAT | IPC_EXCL | 0600);
	queue_ids[1] = msgget((key_t)(address->key | REPLY_BIT), IPC_CREAT | IPC_EXCL | 0600);
	if (queue_ids[0] < 0 || queue_ids[1] < 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, feed_fds) < 0 ||
	    pthread_create(&thread, NULL, feed, NULL) != 0) {
		die("msgq");
	}
	signal(SIGTERM, remove_queues);
	signal(SIGINT, remove_queues);
	announce(address);
	ready = (struct pollfd){ .fd = feed_fds[0], .events = POLLIN };
	memcpy(reply.text, line, LINE_BYTES);
	for (;;) {
		ssize_t len;

		poll(&ready, 1, -1);
		while ((len = recv(feed_fds[0], &message, sizeof(message) - 1, MSG_DONTWAIT)) > 0) {
			((char *)&message)[len] = '\0';
			reply.type = atol(message.text + strlen("uptime "));
			(void)!msgsnd(queue_ids[1], &reply, LINE_BYTES, IPC_NOWAIT);
		}
	}
}

static _Noreturn void serve_inet(struct address *address, bool with_popen)
{
	int fd = open_inet(address);

	announce(address);
	if (with_popen) {
		serve_popen(fd);
	}
	if (address->scheme == ADDRESS_UDP) {
		serve_datagrams(fd);
	}
	serve_stream(fd);
}

int main(int argc, char **argv)
{
	bool with_popen = argc == 3 && strcmp(argv[1], "--popen") == 0;
	struct address address;
	const char *why = "usage: floor [--popen] ADDRESS";
	int fd;

	if ((argc != 2 && !with_popen) ||
	    address_parse(&address, argv[argc - 1], strlen(argv[argc - 1]), &why) < 0) {
		fprintf(stderr, "floor: %s\n", why);
		return 2;
	}
	if (address_is_inet(&address)) {
		serve_inet(&address, with_popen);
	}
	if (address.scheme == ADDRESS_UNIX) {
		fd = open_unix(&address);
		announce(&address);
		serve_stream(fd);
	}
	if (address.scheme == ADDRESS_MSGQ) {
		serve_msgq(&address);
	}
	fprintf(stderr, "floor: no floor for this scheme\n");
	return 2;
}
