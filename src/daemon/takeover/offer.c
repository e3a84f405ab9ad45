/* SPDX-License-Identifier: MIT */
#include "daemon/takeover/offer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/thread.h"
#include "daemon/takeover/message.h"

/* How long the new server may take from the last descriptor until its threads serve. */
#define SERVING_MS 10000

struct takeover_offer {
	int listen_fd;
	struct listener_set *listeners;
	struct listener_set *metrics;
	uid_t uid;
	int stop_fd;		/* readable once the thread is to end */
	int released_fd;	/* readable once the listeners are released */
	int peer_fd;		/* of the new server, once it has them */
	pid_t taker;
	pthread_t thread;
	bool running;
};

static void share_replies(const struct listener_set *listeners, bool shared)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		if (listeners->all[i].replies) {
			msgq_replies_share(listeners->all[i].replies, shared);
		}
	}
}

static void describe(const struct listener *listener, struct takeover_listener *said)
{
	address_format(&listener->address, said->bound, sizeof(said->bound));
	if (!listener->borrowed) {
		address_format(&listener->asked, said->asked, sizeof(said->asked));
	}
	said->device = listener->file.device;
	said->inode = listener->file.inode;
	if (listener->msgq) {
		said->owned = (msgq_is_owned(listener->msgq) ? 1 : 0) |
			      (msgq_replies_are_owned(listener->replies) ? 2 : 0);
	}
}

static int receive(struct takeover_offer *offer, int peer_fd, struct takeover_message *message,
	enum takeover_kind kind, int wait_ms)
{
	int passed_fd;

	if (takeover_message_receive(peer_fd, message, &passed_fd, wait_ms, offer->stop_fd) < 0) {
		return -1;
	}
	if (passed_fd >= 0 || message->kind != kind) {
		io_close(&passed_fd);
		errno = EPROTO;
		return -1;
	}
	return 0;
}

static unsigned count_all(const struct takeover_offer *offer)
{
	return offer->listeners->count + offer->metrics->count;
}

/* Those of the metrics come behind the others. */
static struct listener *listener_at(const struct takeover_offer *offer, unsigned i)
{
	unsigned count = offer->listeners->count;

	return i < count ? &offer->listeners->all[i] : &offer->metrics->all[i - count];
}

static int give(struct takeover_offer *offer, int peer_fd)
{
	unsigned count = count_all(offer);
	struct takeover_message message;

	takeover_message_init(&message, TAKEOVER_OFFER);
	message.count = count;
	if (takeover_message_send(peer_fd, &message, offer->listen_fd) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct listener *listener = listener_at(offer, i);

		takeover_message_init(&message, TAKEOVER_LISTENER);
		message.count = i;
		message.listener.metrics = i >= offer->listeners->count;
		describe(listener, &message.listener);
		if (takeover_message_send(
			    peer_fd, &message, listener->msgq ? -1 : listener->fd) < 0) {
			return -1;
		}
		if (((i + 1) % TAKEOVER_GROUP == 0 || i + 1 == count) &&
		    (receive(offer, peer_fd, &message, TAKEOVER_TAKEN, TAKEOVER_STEP_MS) < 0 ||
			    message.count != i + 1)) {
			return -1;
		}
	}
	return 0;
}

/* Those that were taken are the new server's: they are not shut, not drained and not removed. */
static void let_go(const struct takeover_offer *offer, const uint8_t *taken)
{
	for (unsigned i = 0; i < count_all(offer); i++) {
		struct listener *listener = listener_at(offer, i);

		if (!taken[i]) {
			continue;
		}
		listener->borrowed = true;
		listener->file.inode = 0;
		if (listener->msgq) {
			msgq_own(listener->msgq, false);
			msgq_replies_own(listener->replies, false);
		}
	}
}

/*
 * Does the new server know that the listeners are its own? A stop does not end this wait: it must
 * be known which of the two removes their names. What has not come when the connection is shut
 * will not come any more.
 */
static int await_confirmed(int peer_fd)
{
	struct takeover_message message;
	int passed_fd;
	int error;

	if (takeover_message_receive(peer_fd, &message, &passed_fd, TAKEOVER_STEP_MS, -1) < 0) {
		error = errno;
		shutdown(peer_fd, SHUT_RD);
		if (error != ETIMEDOUT ||
		    takeover_message_receive(peer_fd, &message, &passed_fd, 0, -1) < 0) {
			errno = error;
			return -1;
		}
	}
	io_close(&passed_fd);
	errno = EPROTO;
	return message.kind == TAKEOVER_CONFIRMED ? 0 : -1;
}

/* Returns 0 when the new server has the listeners, or -1 with errno: then nothing has changed. */
static int hand_over(struct takeover_offer *offer, int peer_fd)
{
	struct takeover_message message;
	struct takeover_message released;
	bool confirms;

	if (receive(offer, peer_fd, &message, TAKEOVER_HELLO, TAKEOVER_STEP_MS) < 0) {
		return -1;
	}
	confirms = message.version >= TAKEOVER_CONFIRMS;
	if (count_all(offer) > TAKEOVER_MAX) {
		errno = E2BIG;
		return -1;
	}
	/* From here on both may send replies: those that are not ours must not be removed. */
	share_replies(offer->listeners, true);
	if (give(offer, peer_fd) < 0 ||
	    receive(offer, peer_fd, &message, TAKEOVER_SERVING, SERVING_MS) < 0) {
		return -1;
	}
	takeover_message_init(&released, TAKEOVER_RELEASED);
	if (confirms && (takeover_message_send(peer_fd, &released, -1) < 0 ||
				await_confirmed(peer_fd) < 0)) {
		return -1;
	}
	let_go(offer, message.taken);
	if (!confirms) {
		(void)takeover_message_send(peer_fd, &released, -1);
	}
	return 0;
}

static void serve(struct takeover_offer *offer, int *peer_fd)
{
	static struct log_limit refused;
	static struct log_limit failed;
	struct takeover_message message;
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof(peer);

	if (!takeover_peer_is_trusted(*peer_fd, offer->uid)) {
		log_limited(&refused, "a takeover by another user is refused");
		io_close(peer_fd);
		return;
	}
	(void)getsockopt(*peer_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (hand_over(offer, *peer_fd) == 0) {
		offer->taker = peer.pid;
		offer->peer_fd = *peer_fd;
		*peer_fd = -1;
		io_event_set(offer->released_fd);
		return;
	}
	log_limited(&failed, "a takeover by process %d has failed: %s", (int)peer.pid,
		strerror(errno));
	/* The end of the connection alone would say that this server has died. */
	takeover_message_init(&message, TAKEOVER_WITHDRAWN);
	(void)takeover_message_send(*peer_fd, &message, -1);
	share_replies(offer->listeners, false);
	io_close(peer_fd);
}

static void *offer_main(void *argument)
{
	struct takeover_offer *offer = argument;
	struct pollfd fds[2] = {
		{ .fd = offer->stop_fd, .events = POLLIN },
		{ .fd = offer->listen_fd, .events = POLLIN },
	};

	pthread_setname_np(pthread_self(), "takeover");
	while (offer->peer_fd < 0) {
		int peer_fd;

		if (poll(fds, 2, -1) < 0) {
			continue;
		}
		if (fds[0].revents) {
			break;
		}
		peer_fd = accept4(offer->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (peer_fd >= 0) {
			serve(offer, &peer_fd);
		} else if (errno != EAGAIN) {
			poll(fds, 1, TAKEOVER_STEP_MS);
		}
	}
	return NULL;
}

struct takeover_offer *takeover_offer_start(int listen_fd, struct listener_set *listeners,
	struct listener_set *metrics, uid_t uid)
{
	struct takeover_offer *offer = calloc(1, sizeof(*offer));
	int error;

	if (!offer) {
		return NULL;
	}
	offer->listen_fd = listen_fd;
	offer->listeners = listeners;
	offer->metrics = metrics;
	offer->uid = uid;
	offer->peer_fd = -1;
	offer->stop_fd = io_event_open();
	offer->released_fd = io_event_open();
	error = offer->stop_fd < 0 || offer->released_fd < 0
			? errno
			: thread_start(&offer->thread, offer_main, offer);
	offer->running = !error;
	if (error) {
		takeover_offer_end(offer, NULL);
		errno = error;
		return NULL;
	}
	return offer;
}

int takeover_offer_fd(const struct takeover_offer *offer)
{
	return offer->released_fd;
}

pid_t takeover_offer_taker(const struct takeover_offer *offer)
{
	return offer->taker;
}

void takeover_offer_withdraw(struct takeover_offer *offer)
{
	if (offer && offer->running) {
		io_event_set(offer->stop_fd);
		pthread_join(offer->thread, NULL);
		offer->running = false;
	}
}

void takeover_offer_end(struct takeover_offer *offer, const struct stats_counters *counters)
{
	struct takeover_message message;

	if (!offer) {
		return;
	}
	takeover_offer_withdraw(offer);
	if (offer->peer_fd >= 0 && counters) {
		takeover_message_init(&message, TAKEOVER_COUNTERS);
		message.bytes = sizeof(*counters);
		memcpy(&message.counters, counters, sizeof(*counters));
		(void)takeover_message_send(offer->peer_fd, &message, -1);
	}
	io_close(&offer->peer_fd);
	io_close(&offer->stop_fd);
	io_close(&offer->released_fd);
	free(offer);
}
