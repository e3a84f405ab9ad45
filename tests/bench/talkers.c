/* SPDX-License-Identifier: MIT */
/*
 * Clients that say something before they read, at the end of a path that loses segments:
 * doc/decisions/0004. Settings:
 *
 *	port=N			of a server on 127.0.0.1
 *	count=1000		connections, one after the other, of each of
 *	threads=16		clients
 *	say=8192		bytes
 *	lose=0			of a hundred segments with data, so many never reach the client
 *
 * Prints how many had their line and a clean end, how many a line and then an error, and how many
 * no line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/shape.h"

#define THREADS_MAX 64
#define SAY_MAX	    (64 << 10)
#define DATA_OFFSET 12	/* in a TCP header: its length in words, in the upper half of a byte */

struct counts {
	unsigned long started;
	unsigned long ok;
	unsigned long reset;
	unsigned long lost;
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static unsigned long count;
static unsigned long say_bytes;
static unsigned lose_percent;

/* What the filter of a TCP socket drops is as if it had been lost on its way. */
static void lose_segments(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, DATA_OFFSET),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 100),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, lose_percent, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0) {
		shape_die("SO_ATTACH_FILTER");
	}
}

static void ask(struct counts *counts)
{
	static const char speech[SAY_MAX];
	char line[512];
	size_t len = 0;
	ssize_t got;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (lose_percent) {
		lose_segments(fd);
	}
	if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
		shape_die("connect");
	}
	/* If the server does not hear it to its end: what counts is what can be read. */
	(void)!send(fd, speech, say_bytes, 0);
	while ((got = recv(fd, line + len, sizeof(line) - len, 0)) > 0) {
		len += (size_t)got;
	}
	counts->started++;
	if (!len || line[len - 1] != '\n') {
		counts->lost++;
	} else if (got < 0) {
		counts->reset++;
	} else {
		counts->ok++;
	}
	close(fd);
}

static void *talk(void *argument)
{
	for (unsigned long i = 0; i < count; i++) {
		ask(argument);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct counts counts[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	unsigned long thread_count;

	shape_begin(argc, argv);
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)shape_number("port", 0));
	count = shape_number("count", 1000);
	say_bytes = shape_number("say", 8192);
	lose_percent = (unsigned)shape_number("lose", 0);
	thread_count = shape_number("threads", 16);
	if (say_bytes > SAY_MAX || !thread_count || thread_count > THREADS_MAX) {
		fprintf(stderr, "say=0..%d threads=1..%d\n", SAY_MAX, THREADS_MAX);
		return 2;
	}
	for (unsigned long i = 0; i < thread_count; i++) {
		threads[i] = shape_thread(talk, &counts[i]);
	}
	for (unsigned long i = 0; i < thread_count; i++) {
		pthread_join(threads[i], NULL);
		if (i) {
			counts[0].started += counts[i].started;
			counts[0].ok += counts[i].ok;
			counts[0].reset += counts[i].reset;
			counts[0].lost += counts[i].lost;
		}
	}
	printf("started=%lu ok=%lu reset=%lu lost=%lu\n", counts[0].started, counts[0].ok,
		counts[0].reset, counts[0].lost);
	return 0;
}
