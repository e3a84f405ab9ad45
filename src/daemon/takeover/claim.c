/* SPDX-License-Identifier: MIT */
#include "daemon/takeover/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/resolve.h"
#include "daemon/listen/udp_socket.h"
#include "daemon/takeover/message.h"

/* The old server lets go of its listeners at once. */
#define RELEASE_MS 5000

/* How long it may take to give them, however many there are. */
#define GIVE_NS (5 * CLOCK_S)

struct given {
	struct address asked;
	struct address bound;
	bool is_asked;			/* ASKED is filled in */
	struct takeover_listener said;
	int fd;				/* -1: an XSI queue, or it was taken */
	bool taken;
};

struct takeover_claim {
	int peer_fd;
	int socket_fd;
	bool confirms;			/* the old server waits for CONFIRMED */
	unsigned count;
	struct given given[TAKEOVER_MAX];
};

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		io_close(&fd);
	}
	return fd;
}

static int get(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

/* Is FD what it is said to be? */
static bool is_right(int fd, const struct address *bound)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct address found = *bound;
	int domain = get(fd, SO_DOMAIN);
	bool inet = domain == AF_INET || domain == AF_INET6;
	bool stream = bound->scheme != ADDRESS_UDP && bound->scheme != ADDRESS_UNIX_DGRAM;

	/* One that blocks would hold up the thread that accepts. */
	if (!(fcntl(fd, F_GETFL) & O_NONBLOCK)) {
		return false;
	}
	if (inet != address_is_inet(bound) || (!inet && domain != AF_UNIX) ||
	    get(fd, SO_TYPE) != resolve_socket_type(bound->scheme) ||
	    get(fd, SO_ACCEPTCONN) != stream ||
	    getsockname(fd, (struct sockaddr *)&name, &len) < 0) {
		return false;
	}
	if (!inet) {
		return name.ss_family == AF_UNIX && len > sizeof(sa_family_t);
	}
	resolve_describe((struct sockaddr *)&name, len, bound->scheme, &found);
	return strcmp(found.port, bound->port) == 0 &&
	       (!bound->host[0] || strcmp(found.host, bound->host) == 0);
}

static bool parse(const char *text, struct address *address)
{
	const char *why;

	return memchr(text, '\0', ADDRESS_TEXT_MAX) &&
	       address_parse(address, text, strlen(text), &why) == 0;
}

/* A name that was not asked for must never be removed as ours. */
static bool is_for(const struct address *bound, const struct address *asked)
{
	return bound->scheme == asked->scheme && bound->key == asked->key &&
	       strcmp(bound->path, asked->path) == 0;
}

/* Takes *FD. */
static int keep(struct takeover_claim *claim, const struct takeover_listener *said, int *fd)
{
	struct given *given = &claim->given[claim->count];

	given->said = *said;
	given->is_asked = said->asked[0] != '\0';
	if (!parse(said->bound, &given->bound) ||
	    (given->is_asked &&
		    (!parse(said->asked, &given->asked) ||
			    !is_for(&given->bound, &given->asked))) ||
	    (*fd < 0) != (given->bound.scheme == ADDRESS_MSGQ) ||
	    (*fd >= 0 && !is_right(*fd, &given->bound))) {
		io_close(fd);
		errno = EPROTO;
		return -1;
	}
	given->fd = *fd;
	*fd = -1;
	claim->count++;
	return 0;
}

static int receive(struct takeover_claim *claim, struct takeover_message *message, int *passed_fd,
	enum takeover_kind kind, int wait_ms)
{
	if (takeover_message_receive(claim->peer_fd, message, passed_fd, wait_ms, -1) < 0) {
		return -1;
	}
	if (message->kind != kind) {
		io_close(passed_fd);
		errno = message->kind == TAKEOVER_WITHDRAWN ? ECANCELED : EPROTO;
		return -1;
	}
	return 0;
}

static int receive_all(struct takeover_claim *claim)
{
	uint64_t end_ns = clock_now_ns() + GIVE_NS;
	struct takeover_message message;
	unsigned count;
	int passed_fd;

	takeover_message_init(&message, TAKEOVER_HELLO);
	if (takeover_message_send(claim->peer_fd, &message, -1) < 0 ||
	    receive(claim, &message, &claim->socket_fd, TAKEOVER_OFFER, TAKEOVER_STEP_MS) < 0) {
		return -1;
	}
	count = message.count;
	claim->confirms = message.version >= TAKEOVER_CONFIRMS;
	if (claim->socket_fd < 0 || get(claim->socket_fd, SO_TYPE) != SOCK_SEQPACKET ||
	    get(claim->socket_fd, SO_ACCEPTCONN) != 1 || count > TAKEOVER_MAX) {
		errno = EPROTO;
		return -1;
	}
	while (claim->count < count) {
		int left_ms = clock_poll_ms(end_ns);
		int wait_ms = left_ms < TAKEOVER_STEP_MS ? left_ms : TAKEOVER_STEP_MS;

		if (receive(claim, &message, &passed_fd, TAKEOVER_LISTENER, wait_ms) < 0 ||
		    keep(claim, &message.listener, &passed_fd) < 0) {
			return -1;
		}
		if (claim->count % TAKEOVER_GROUP == 0 || claim->count == count) {
			takeover_message_init(&message, TAKEOVER_TAKEN);
			message.count = claim->count;
			if (takeover_message_send(claim->peer_fd, &message, -1) < 0) {
				return -1;
			}
		}
	}
	return 0;
}

static const char *reason(int error)
{
	switch (error) {
	case EPROTO:
		return "what serves there is no ruptimed that this one can take over";
	case ETIMEDOUT:
		return "the server there does not answer in time";
	case ECANCELED:
		return "the server there is stopping";
	case EPERM:
		return "the server there is another user's";
	default:
		return NULL;
	}
}

int takeover_claim_open(struct takeover_claim **claim, const char *path, uid_t uid,
	const char **why)
{
	struct takeover_claim *made;
	int peer_fd = connect_to(path);
	int error;

	*claim = NULL;
	*why = NULL;
	if (peer_fd < 0) {
		return errno == ENOENT || errno == ECONNREFUSED ? 0 : -1;
	}
	made = calloc(1, sizeof(*made));
	if (!made) {
		io_close(&peer_fd);
		return -1;
	}
	made->peer_fd = peer_fd;
	made->socket_fd = -1;
	if (!takeover_peer_is_trusted(peer_fd, uid)) {
		errno = EPERM;
	} else if (receive_all(made) == 0) {
		*claim = made;
		return 0;
	}
	error = errno;
	takeover_claim_free(made);
	*why = reason(error);
	errno = error;
	/* Who dies leaves nothing to take over, and nothing in the way. */
	return error == ECONNRESET || error == EPIPE ? 0 : -1;
}

int takeover_claim_socket(struct takeover_claim *claim)
{
	int fd = claim->socket_fd;

	claim->socket_fd = -1;
	return fd;
}

/* The directory is known from here on; the name becomes ours when the old server lets go of it. */
static int open_directory(struct listener *listener)
{
	const char *path = listener->address.path;
	char dir[ADDRESS_PATH_MAX + 1];

	memcpy(dir, path, sizeof(dir));
	strrchr(dir, '/')[1] = '\0';
	listener->file.dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return listener->file.dir_fd < 0 ? -1 : 0;
}

static bool fits(const struct given *given, const struct address *asked, bool metrics)
{
	if (given->taken || given->said.metrics != metrics || given->is_asked != (asked != NULL)) {
		return false;
	}
	return !asked || address_equal(&given->asked, asked);
}

int takeover_claim_take(struct takeover_claim *claim, struct listener_set *set,
	const struct address *asked, bool metrics)
{
	int count = 0;

	for (unsigned i = 0; i < claim->count; i++) {
		struct given *given = &claim->given[i];
		struct listener *listener;

		if (!fits(given, asked, metrics)) {
			continue;
		}
		given->taken = true;
		if (given->fd < 0) {
			continue;
		}
		listener = listener_append(set, &given->bound, &given->asked, &given->fd);
		/* The name of one that a manager brought is the manager's. */
		if (!listener || (asked && !address_is_inet(&given->bound) &&
					 open_directory(listener) < 0)) {
			return -1;
		}
		/* Until the old server lets go of it; or for ever. */
		listener->borrowed = true;
		count++;
	}
	return count;
}

static void own(const struct given *given, struct listener_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct listener *listener = &set->all[i];

		if (!given->taken || !address_equal(&listener->address, &given->bound)) {
			continue;
		}
		listener->borrowed = !given->is_asked;
		if (listener->msgq) {
			msgq_own(listener->msgq, given->said.owned & 1);
			msgq_replies_own(listener->replies, given->said.owned & 2);
		} else if (listener->file.dir_fd >= 0) {
			listener->file.device = (dev_t)given->said.device;
			listener->file.inode = (ino_t)given->said.inode;
		}
	}
}

/* Returns 0 when the old server has let go, or -1 with errno. */
static int settle(struct takeover_claim *claim)
{
	struct takeover_message message;
	int passed_fd = -1;

	takeover_message_init(&message, TAKEOVER_SERVING);
	for (unsigned i = 0; i < claim->count; i++) {
		message.taken[i] = claim->given[i].taken;
	}
	if (takeover_message_send(claim->peer_fd, &message, -1) < 0 ||
	    receive(claim, &message, &passed_fd, TAKEOVER_RELEASED, RELEASE_MS) < 0) {
		return -1;
	}
	io_close(&passed_fd);
	if (!claim->confirms) {
		return 0;
	}
	takeover_message_init(&message, TAKEOVER_CONFIRMED);
	if (takeover_message_send(claim->peer_fd, &message, -1) == 0) {
		return 0;
	}
	/* It has waited in vain, and says so, or it has died. */
	if (receive(claim, &message, &passed_fd, TAKEOVER_WITHDRAWN, 0) == 0) {
		errno = ETIMEDOUT;
	}
	return -1;
}

int takeover_claim_finish(struct takeover_claim *claim, struct listener_set *listeners,
	struct listener_set *metrics)
{
	/* Dead is as good. */
	if (settle(claim) < 0 && errno != ECONNRESET && errno != EPIPE) {
		return -1;
	}
	for (unsigned i = 0; i < claim->count; i++) {
		own(&claim->given[i], claim->given[i].said.metrics ? metrics : listeners);
		io_close(&claim->given[i].fd);
	}
	return 0;
}

int takeover_claim_fd(const struct takeover_claim *claim)
{
	return claim->peer_fd;
}

bool takeover_claim_counters(struct takeover_claim *claim, struct stats_counters *counters)
{
	struct takeover_message message;
	int passed_fd = -1;
	bool got = receive(claim, &message, &passed_fd, TAKEOVER_COUNTERS, 0) == 0 &&
		   message.bytes == sizeof(*counters);

	io_close(&passed_fd);
	if (got) {
		memcpy(counters, &message.counters, sizeof(*counters));
	}
	return got;
}

void takeover_claim_is_over(const struct listener_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (set->all[i].replies) {
			msgq_replies_share(set->all[i].replies, false);
		}
	}
}

void takeover_claim_free(struct takeover_claim *claim)
{
	if (claim) {
		for (unsigned i = 0; i < claim->count; i++) {
			io_close(&claim->given[i].fd);
		}
		io_close(&claim->peer_fd);
		io_close(&claim->socket_fd);
		free(claim);
	}
}
