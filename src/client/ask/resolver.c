/* SPDX-License-Identifier: MIT */
/*
 * Two lists under one mutex: questions for the threads, results for the loop. The event descriptor
 * is written when a result comes and read when the last one has been taken, both under the mutex,
 * so that it is readable exactly as long as there are results.
 *
 * The threads are detached, and hold a reference each: one that hangs in a look-up must not hold up
 * the program's end.
 */
#include "client/ask/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/io.h"
#include "common/resolve.h"
#include "common/thread.h"
#include "common/thread.h"

struct question {
	struct question *next;
	struct address address;
	struct resolver_result result;
};

struct list {
	struct question *first;
	struct question *last;
};

struct resolver {
	int family;
	unsigned threads_max;
	pthread_mutex_t mutex;		/* guards all below */
	pthread_cond_t asked;		/* or stopping */
	struct list questions;
	unsigned queued;		/* questions */
	struct list results;
	unsigned threads;
	unsigned idle;			/* threads that wait for a question */
	unsigned references;		/* the threads, and the loop until it stops us */
	bool stopping;
	int event_fd;
};

static void append(struct list *list, struct question *question)
{
	question->next = NULL;
	if (list->first) {
		list->last->next = question;
	} else {
		list->first = question;
	}
	list->last = question;
}

static struct question *remove_first(struct list *list)
{
	struct question *first = list->first;

	if (first) {
		list->first = first->next;
	}
	return first;
}

static void free_all(struct list *list)
{
	struct question *question;

	while ((question = remove_first(list))) {
		resolve_free(question->result.addresses);
		free(question);
	}
}

struct resolver *resolver_start(int family, unsigned threads)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver) {
		return NULL;
	}
	resolver->event_fd = io_event_open();
	if (resolver->event_fd < 0) {
		free(resolver);
		return NULL;
	}
	resolver->family = family;
	resolver->threads_max = threads;
	resolver->references = 1;
	pthread_mutex_init(&resolver->mutex, NULL);
	pthread_cond_init(&resolver->asked, NULL);
	return resolver;
}

int resolver_fd(const struct resolver *resolver)
{
	return resolver->event_fd;
}

/* Unlocks the mutex. */
static void drop_reference(struct resolver *resolver)
{
	bool last = --resolver->references == 0;

	pthread_mutex_unlock(&resolver->mutex);
	if (!last) {
		return;
	}
	free_all(&resolver->questions);
	free_all(&resolver->results);
	io_close(&resolver->event_fd);
	pthread_mutex_destroy(&resolver->mutex);
	pthread_cond_destroy(&resolver->asked);
	free(resolver);
}

static void look_up(int family, struct question *question)
{
	struct resolver_result *result = &question->result;

	if (resolve_sockets(&question->address, family, &result->addresses, &result->why) < 0) {
		result->error = errno;
		result->addresses = NULL;
	}
}

/* A thread: looks up what is asked until there is no more to do or the resolver stops. */
static void *answer_questions(void *arg)
{
	struct resolver *resolver = arg;
	struct question *question;

	pthread_mutex_lock(&resolver->mutex);
	while (!resolver->stopping) {
		question = remove_first(&resolver->questions);
		if (!question) {
			resolver->idle++;
			pthread_cond_wait(&resolver->asked, &resolver->mutex);
			resolver->idle--;
			continue;
		}
		resolver->queued--;
		pthread_mutex_unlock(&resolver->mutex);
		look_up(resolver->family, question);
		pthread_mutex_lock(&resolver->mutex);
		append(&resolver->results, question);
		io_event_set(resolver->event_fd);
	}
	resolver->threads--;
	drop_reference(resolver);
	return NULL;
}

/* Signals are for the loop. Returns 0, or what went wrong. */
static int start_thread(struct resolver *resolver)
{
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = thread_start(&thread, answer_questions, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error) {
		pthread_detach(thread);
		resolver->threads++;
		resolver->references++;
	}
	return error;
}

int resolver_ask(struct resolver *resolver, const struct address *address, uint64_t owner)
{
	struct question *question = calloc(1, sizeof(*question));
	int error = 0;

	if (!question) {
		return -1;
	}
	question->address = *address;
	question->result.owner = owner;
	pthread_mutex_lock(&resolver->mutex);
	if (resolver->queued >= resolver->idle && resolver->threads < resolver->threads_max) {
		error = start_thread(resolver);
	}
	if (error && resolver->threads == 0) {
		free(question);
	} else {
		error = 0;
		append(&resolver->questions, question);
		resolver->queued++;
		pthread_cond_signal(&resolver->asked);
	}
	pthread_mutex_unlock(&resolver->mutex);
	errno = error;
	return error ? -1 : 0;
}

bool resolver_take(struct resolver *resolver, struct resolver_result *result)
{
	struct question *question;
	uint64_t count;

	pthread_mutex_lock(&resolver->mutex);
	question = remove_first(&resolver->results);
	if (!resolver->results.first) {
		/* Nothing to read is fine: there was no result. */
		(void)!read(resolver->event_fd, &count, sizeof(count));
	}
	pthread_mutex_unlock(&resolver->mutex);
	if (!question) {
		return false;
	}
	*result = question->result;
	free(question);
	return true;
}

void resolver_stop(struct resolver *resolver)
{
	if (!resolver) {
		return;
	}
	pthread_mutex_lock(&resolver->mutex);
	resolver->stopping = true;
	pthread_cond_broadcast(&resolver->asked);
	drop_reference(resolver);
}
