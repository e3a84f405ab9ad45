/* SPDX-License-Identifier: MIT */
#include "daemon/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io.h"
#include "common/log.h"

struct generation *generation_new(const struct settings *settings, struct listener_set *listeners)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (generation) {
		generation->settings = *settings;
		generation->listeners = *listeners;
		*listeners = (struct listener_set){ .all = NULL };
	}
	return generation;
}

static bool is_wanted(const struct settings *settings, const struct listener *listener)
{
	/* The sockets of a manager stay as long as we do. */
	bool wanted = listener->borrowed;

	for (unsigned i = 0; i < settings->listen_count; i++) {
		wanted |= address_equal(&settings->listen[i], &listener->asked);
	}
	return wanted;
}

/* Each generation has threads of its own that receive from a queue, and ends for them to meet. */
static void take_pair(struct listener *listener, struct reading *reading)
{
	int *pair = reading->pairs[--reading->pair_count];

	listener->fd = pair[0];
	listener->feed_fd = pair[1];
}

static bool has_queue(const struct listener_set *set, const struct address *address)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (listener_is_msgq(&set->all[i]) && set->all[i].address.key == address->key) {
			return true;
		}
	}
	return false;
}

/* Those queues that are new. Returns 0, or -1 with WHY. */
static int open_queues(struct generation *next, struct reading *reading, uid_t uid, gid_t gid,
	char *why, size_t size)
{
	for (unsigned i = 0; i < next->settings.listen_count; i++) {
		const struct address *address = &next->settings.listen[i];
		struct listener_failure failure;
		char text[ADDRESS_TEXT_MAX];

		if (address->scheme != ADDRESS_MSGQ || has_queue(&next->listeners, address)) {
			continue;
		}
		if (!reading->pair_count ||
		    listener_open_queue(&next->listeners, address, uid, gid,
			    reading->pairs[--reading->pair_count], &failure) < 0) {
			address_format(address, text, sizeof(text));
			snprintf(why, size, "%s: %s", text, failure.why);
			return -1;
		}
	}
	return 0;
}

static void close_rest(struct reading *reading)
{
	while (reading->pair_count > 0) {
		reading->pair_count--;
		io_close(&reading->pairs[reading->pair_count][0]);
		io_close(&reading->pairs[reading->pair_count][1]);
	}
	free(reading->added.all);
	reading->added = (struct listener_set){ .all = NULL };
}

static void keep_fixed(struct settings *settings, const struct settings *old)
{
	memcpy(settings->user, old->user, sizeof(settings->user));
	memcpy(settings->command, old->command, sizeof(settings->command));
	memcpy(settings->pid_file, old->pid_file, sizeof(settings->pid_file));
	settings->source = old->source;
	settings->sandbox = old->sandbox;
	settings->daemon = old->daemon;
	settings->ready_fd = old->ready_fd;
	settings->start_cold = old->start_cold;
	settings->has_metrics = old->has_metrics;
	settings->metrics = old->metrics;
}

struct generation *generation_next(const struct generation *old, struct reading *reading, uid_t uid,
	gid_t gid, char *why, size_t size)
{
	struct generation *next = calloc(1, sizeof(*next));
	unsigned most = old->listeners.count + reading->added.count + reading->pair_count;
	struct listener *all = calloc(most + 1, sizeof(*all));

	if (!next || !all) {
		snprintf(why, size, "%s", strerror(errno));
		listener_forget(&reading->added);
		close_rest(reading);
		free(all);
		free(next);
		return NULL;
	}
	next->settings = reading->settings;
	keep_fixed(&next->settings, &old->settings);
	next->listeners.all = all;
	for (unsigned i = 0; i < old->listeners.count; i++) {
		struct listener *kept = &all[next->listeners.count];

		if (!is_wanted(&next->settings, &old->listeners.all[i]) ||
		    (listener_is_msgq(&old->listeners.all[i]) && !reading->pair_count)) {
			continue;
		}
		*kept = old->listeners.all[i];
		kept->shared = true;
		if (listener_is_msgq(kept)) {
			take_pair(kept, reading);
		}
		next->listeners.count++;
	}
	for (unsigned i = 0; i < reading->added.count; i++) {
		all[next->listeners.count++] = reading->added.all[i];
	}
	if (open_queues(next, reading, uid, gid, why, size) < 0) {
		close_rest(reading);
		generation_drop(next);
		return NULL;
	}
	close_rest(reading);
	return next;
}

void generation_drop(struct generation *next)
{
	for (unsigned i = 0; i < next->listeners.count; i++) {
		struct listener *listener = &next->listeners.all[i];

		/* Of a queue that both have, the pair is its own. */
		if (listener->shared && listener_is_msgq(listener)) {
			io_close(&listener->fd);
			io_close(&listener->feed_fd);
		}
	}
	listener_drop_unshared(&next->listeners);
	free(next);
}

static const struct listener *find(const struct listener_set *set, const struct listener *listener)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct listener *other = &set->all[i];

		if (listener_is_msgq(listener) ? other->msgq == listener->msgq
					       : other->fd == listener->fd) {
			return other;
		}
	}
	return NULL;
}

static void log_change(const char *what, const struct listener_set *set, unsigned i)
{
	char text[ADDRESS_TEXT_MAX];

	/* '*' has a socket for each family, and one line. */
	if (i == 0 || !address_equal(&set->all[i].address, &set->all[i - 1].address)) {
		address_format(&set->all[i].address, text, sizeof(text));
		log_info("%s %s", what, text);
	}
}

unsigned generation_hand_over(struct generation *old, const struct generation *next)
{
	unsigned changes = 0;

	for (unsigned i = 0; i < old->listeners.count; i++) {
		struct listener *listener = &old->listeners.all[i];

		listener->shared = find(&next->listeners, listener) != NULL;
		listener->borrowed |= listener->shared;
		if (!listener->shared) {
			log_change("no longer listening", &old->listeners, i);
			changes++;
		}
	}
	for (unsigned i = 0; i < next->listeners.count; i++) {
		struct listener *listener = &next->listeners.all[i];

		if (!listener->shared) {
			log_change("listening", &next->listeners, i);
			changes++;
		}
		listener->shared = false;
	}
	return changes;
}

void generation_free(struct generation *old)
{
	if (!old) {
		return;
	}
	for (unsigned i = 0; i < old->listeners.count; i++) {
		struct listener *listener = &old->listeners.all[i];

		if (listener->shared && listener_is_msgq(listener)) {
			io_close(&listener->fd);
			io_close(&listener->feed_fd);
		}
	}
	listener_drop_unshared(&old->listeners);
	free(old);
}
