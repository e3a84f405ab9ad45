/* SPDX-License-Identifier: MIT */
/*
 * The table is a hash table with chains of nodes. The lock protects all of it but the counts: so a
 * connection that closes, on any thread, decrements the count of its node and touches nothing else.
 * A node whose count is 0 is dead: it is unlinked when its chain is searched, or when all nodes are
 * used up. There are twice as many as can be alive: then as many dead ones are
 * found as there may be connections, and the search costs each connection next to nothing.
 *
 * All atomics are relaxed: they count, and order nothing.
 */
#include "daemon/policy/connections.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cache.h"
#include "common/clock.h"
#include "common/io.h"

#define DEFAULT_MAX 16384

/* After a look at the connections that were answered there is none for so many times as long. */
#define REAP_REST 16

/* What the server needs besides connections: listeners, the runner, descriptors passed to it. */
#define RESERVED_DESCRIPTORS 64

/* The parts of a source's key that no global IPv6 prefix begins with. */
#define KEY_IPV4 0x0000ffff00000000ull
#define KEY_USER 0x0000fffe00000000ull

/* Node 0 stands for no node. */
enum { NO_NODE, FIRST_NODE };

struct node {
	uint64_t key;
	uint32_t next;
	_Atomic uint32_t count;
};

struct connections {
	pthread_mutex_t lock;		/* taken by the acceptor and the fdpass acceptor */
	unsigned max;
	unsigned max_per_source;
	unsigned room;			/* as far as we know */
	uid_t own_uid;
	struct access access;
	uint64_t multiplier;		/* of the hash: random, against aiming at a chain */
	unsigned bits;
	uint32_t *buckets;
	struct node *nodes;
	uint32_t nodes_end;
	uint32_t fresh;			/* nodes from here on were never used */
	uint32_t dead;			/* those that have been unlinked */
	pthread_mutex_t reapers_lock;	/* protects what follows */
	struct connections_reaper *reapers;
	uint64_t reap_ns;		/* when the next look is due */
	/* Written by every thread. */
	_Alignas(CACHE_LINE_BYTES) _Atomic unsigned open;
	_Alignas(CACHE_LINE_BYTES) _Atomic unsigned crowd;	/* more than that is one */
};

void connections_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

unsigned connections_default_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur >= DEFAULT_MAX + RESERVED_DESCRIPTORS) {
		return DEFAULT_MAX;
	}
	/* With fewer than that the kernel decides, and accepting pauses. */
	return limit.rlim_cur < 2 * RESERVED_DESCRIPTORS
		       ? RESERVED_DESCRIPTORS
		       : (unsigned)limit.rlim_cur - RESERVED_DESCRIPTORS;
}

/*
 * A limit is far off as a rule, and a client should have its second. After a shortage a place is
 * dear: one that lingers may be looked at only half a second after its client has gone.
 */
static void set_room(struct connections *connections, unsigned room)
{
	unsigned crowd = room < connections->max ? room / 4 : room - (room + 3) / 4;

	connections->room = room;
	atomic_store_explicit(&connections->crowd, crowd, memory_order_relaxed);
}

struct connections *connections_new(unsigned max, unsigned max_per_source,
	const struct access *access)
{
	struct connections *connections = aligned_alloc(CACHE_LINE_BYTES, sizeof(*connections));

	if (!connections) {
		return NULL;
	}
	memset(connections, 0, sizeof(*connections));
	pthread_mutex_init(&connections->lock, NULL);
	pthread_mutex_init(&connections->reapers_lock, NULL);
	connections->max = max;
	connections->max_per_source = max_per_source;
	connections->access = access ? *access : (struct access){ .by_default = true };
	connections->own_uid = geteuid();
	connections->fresh = FIRST_NODE;
	connections->nodes_end = FIRST_NODE + 2 * max;
	connections->bits = 1;
	while (1u << connections->bits < max) {
		connections->bits++;
	}
	connections->buckets = calloc(1u << connections->bits, sizeof(*connections->buckets));
	connections->nodes = calloc(connections->nodes_end, sizeof(*connections->nodes));
	set_room(connections, max);
	if (!connections->buckets || !connections->nodes ||
	    getrandom(&connections->multiplier, sizeof(connections->multiplier), 0) < 0) {
		int error = errno;

		connections_free(connections);
		errno = error;
		return NULL;
	}
	connections->multiplier |= 1;
	return connections;
}

void connections_free(struct connections *connections)
{
	if (connections) {
		pthread_mutex_destroy(&connections->reapers_lock);
		pthread_mutex_destroy(&connections->lock);
		free(connections->nodes);
		free(connections->buckets);
		free(connections);
	}
}

static unsigned count_of(const struct connections *connections, uint32_t i)
{
	return atomic_load_explicit(&connections->nodes[i].count, memory_order_relaxed);
}

/* Unlink the dead nodes of a chain, as far as the node of KEY, if it has one. */
static uint32_t search_chain(struct connections *connections, uint32_t *link, uint64_t key)
{
	while (*link) {
		uint32_t i = *link;
		struct node *node = &connections->nodes[i];

		if (node->key == key) {
			return i;
		}
		if (count_of(connections, i)) {
			link = &node->next;
		} else {
			*link = node->next;
			node->next = connections->dead;
			connections->dead = i;
		}
	}
	return NO_NODE;
}

static uint32_t take_unused(struct connections *connections)
{
	uint32_t i = connections->dead;

	if (!i && connections->fresh < connections->nodes_end) {
		return connections->fresh++;
	}
	if (!i) {
		for (uint32_t bucket = 0; bucket < 1u << connections->bits; bucket++) {
			/* The key of no source: as a prefix it would be one of multicast. */
			search_chain(connections, &connections->buckets[bucket], UINT64_MAX);
		}
		i = connections->dead;
	}
	connections->dead = connections->nodes[i].next;
	return i;
}

/* The node of KEY, a new one if need be. */
static uint32_t node_of(struct connections *connections, uint64_t key)
{
	/* Multiply-shift: two keys meet with a chance of 2 in as many as there are buckets. */
	uint32_t *bucket =
		&connections->buckets[key * connections->multiplier >> (64 - connections->bits)];
	uint32_t i = search_chain(connections, bucket, key);

	if (!i) {
		i = take_unused(connections);
		connections->nodes[i].key = key;
		connections->nodes[i].next = *bucket;
		*bucket = i;
	}
	return i;
}

static bool may_ask(const struct connections *connections, const union connections_peer *peer)
{
	struct in6_addr address;

	if (peer->any.sa_family == AF_UNIX || !connections->access.count) {
		return true;
	}
	address = prefix_address(&peer->any);
	return access_allows(&connections->access, &address);
}

static bool is_loopback(uint32_t ipv4)
{
	return ipv4 >> 24 == IN_LOOPBACKNET;
}

static bool get_ipv4(const union connections_peer *peer, uint32_t *ipv4)
{
	if (peer->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr)) {
		memcpy(ipv4, peer->in6.sin6_addr.s6_addr + 12, sizeof(*ipv4));
	} else if (peer->any.sa_family == AF_INET) {
		*ipv4 = peer->in.sin_addr.s_addr;
	} else {
		return false;
	}
	*ipv4 = ntohl(*ipv4);
	return true;
}

static bool get_user(int conn_fd, uid_t *uid)
{
	struct ucred peer;

	if (io_peer(conn_fd, &peer) < 0) {
		return false;
	}
	*uid = peer.uid;
	return true;
}

/* Returns false if the source is exempt. */
static bool key_of(const struct connections *connections, int conn_fd,
	const union connections_peer *peer, uint64_t *key)
{
	uint32_t ipv4;
	uid_t uid;

	if (get_ipv4(peer, &ipv4)) {
		*key = KEY_IPV4 | ipv4;
		return !is_loopback(ipv4);
	}
	if (peer->any.sa_family == AF_INET6) {
		memcpy(key, peer->in6.sin6_addr.s6_addr, sizeof(*key));
		*key = be64toh(*key);
		return !IN6_IS_ADDR_LOOPBACK(&peer->in6.sin6_addr);
	}
	if (!get_user(conn_fd, &uid)) {
		return false;
	}
	*key = KEY_USER | uid;
	return uid != 0 && uid != connections->own_uid;
}

/* Count the connection for its source, in *SOURCE. Lock held. */
static enum connections_verdict enter_source(struct connections *connections, int conn_fd,
	const union connections_peer *peer, unsigned *source)
{
	uint64_t key;
	uint32_t node;

	if (!key_of(connections, conn_fd, peer, &key)) {
		return CONNECTIONS_WELCOME;
	}
	node = node_of(connections, key);
	if (count_of(connections, node) >= connections->max_per_source) {
		return CONNECTIONS_TOO_MANY_OF_SOURCE;
	}
	atomic_fetch_add_explicit(&connections->nodes[node].count, 1, memory_order_relaxed);
	*source = node;
	return CONNECTIONS_WELCOME;
}

static enum connections_verdict enter(struct connections *connections, int conn_fd,
	const union connections_peer *peer, unsigned *source)
{
	unsigned open = connections_open(connections);
	enum connections_verdict verdict;

	if (open > connections->max) {
		return CONNECTIONS_TOO_MANY;
	}
	pthread_mutex_lock(&connections->lock);
	if (open > connections->room) {
		set_room(connections, open);
	}
	verdict = enter_source(connections, conn_fd, peer, source);
	pthread_mutex_unlock(&connections->lock);
	return verdict;
}

/*
 * Have the connections closed that were answered and whose clients have gone, whatever the threads
 * do that keep them. A flood must not buy a look at all of them with each connection: so it takes
 * but a small part of the time. Returns whether that was done.
 */
static bool reap(struct connections *connections)
{
	uint64_t now_ns = clock_now_ns();
	bool due;

	pthread_mutex_lock(&connections->reapers_lock);
	due = now_ns >= connections->reap_ns;
	if (due) {
		for (struct connections_reaper *r = connections->reapers; r; r = r->next) {
			r->reap(r->owner);
		}
		connections->reap_ns = clock_now_ns() + REAP_REST * (clock_now_ns() - now_ns);
	}
	pthread_mutex_unlock(&connections->reapers_lock);
	return due;
}

enum connections_verdict connections_enter(struct connections *connections, int conn_fd,
	unsigned descriptors, const union connections_peer *peer, unsigned *source)
{
	enum connections_verdict verdict;

	atomic_fetch_add_explicit(&connections->open, descriptors, memory_order_relaxed);
	*source = NO_NODE;
	if (!may_ask(connections, peer)) {
		return CONNECTIONS_NOT_ALLOWED;
	}
	verdict = enter(connections, conn_fd, peer, source);
	if (verdict != CONNECTIONS_WELCOME && reap(connections)) {
		verdict = enter(connections, conn_fd, peer, source);
	}
	return verdict;
}

void connections_release(struct connections *connections)
{
	atomic_fetch_sub_explicit(&connections->open, 1, memory_order_relaxed);
}

void connections_add_reaper(struct connections *connections, struct connections_reaper *reaper)
{
	pthread_mutex_lock(&connections->reapers_lock);
	reaper->next = connections->reapers;
	connections->reapers = reaper;
	pthread_mutex_unlock(&connections->reapers_lock);
}

void connections_remove_reaper(struct connections *connections, struct connections_reaper *reaper)
{
	struct connections_reaper **link = &connections->reapers;

	pthread_mutex_lock(&connections->reapers_lock);
	while (*link != reaper) {
		link = &(*link)->next;
	}
	*link = reaper->next;
	pthread_mutex_unlock(&connections->reapers_lock);
}

void connections_close(struct connections *connections, int *conn_fd, unsigned source)
{
	/* In this order: there are never more descriptors than are counted. */
	io_close(conn_fd);
	if (source) {
		atomic_fetch_sub_explicit(&connections->nodes[source].count, 1,
			memory_order_relaxed);
	}
	atomic_fetch_sub_explicit(&connections->open, 1, memory_order_relaxed);
}

void connections_reset(struct connections *connections, int *conn_fd, unsigned source)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int saved = errno;

	setsockopt(*conn_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	connections_close(connections, conn_fd, source);
	errno = saved;
}

void connections_shortage(struct connections *connections)
{
	(void)reap(connections);
	pthread_mutex_lock(&connections->lock);
	set_room(connections, connections_open(connections));
	pthread_mutex_unlock(&connections->lock);
}

bool connections_are_crowded(const struct connections *connections)
{
	return connections_open(connections) >
	       atomic_load_explicit(&connections->crowd, memory_order_relaxed);
}

unsigned connections_open(const struct connections *connections)
{
	return atomic_load_explicit(&connections->open, memory_order_relaxed);
}

void connections_format_source(int conn_fd, const union connections_peer *peer, char *text,
	size_t size)
{
	struct in6_addr prefix;
	uint32_t ipv4;
	uid_t uid;

	if (get_ipv4(peer, &ipv4)) {
		snprintf(text, size, "%u.%u.%u.%u", ipv4 >> 24, ipv4 >> 16 & 255, ipv4 >> 8 & 255,
			ipv4 & 255);
	} else if (peer->any.sa_family == AF_INET6) {
		char address[INET6_ADDRSTRLEN];

		prefix = peer->in6.sin6_addr;
		memset(prefix.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &prefix, address, sizeof(address));
		snprintf(text, size, "%s/64", address);
	} else if (get_user(conn_fd, &uid)) {
		snprintf(text, size, "user %u", uid);
	} else {
		snprintf(text, size, "a user that the kernel does not tell");
	}
}
