/* SPDX-License-Identifier: MIT */
#include "daemon/life/starter.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/thread.h"

struct starter {
	pthread_t thread;
	pthread_mutex_t lock;	/* protects what follows */
	pthread_cond_t changed;
	void (*job)(void *argument);
	void *argument;
	bool busy;
	bool ending;
};

static void *starter_main(void *argument)
{
	struct starter *starter = argument;

	pthread_setname_np(pthread_self(), "starter");
	pthread_mutex_lock(&starter->lock);
	while (!starter->ending) {
		if (!starter->job) {
			pthread_cond_wait(&starter->changed, &starter->lock);
			continue;
		}
		pthread_mutex_unlock(&starter->lock);
		starter->job(starter->argument);
		pthread_mutex_lock(&starter->lock);
		starter->job = NULL;
		starter->busy = false;
		pthread_cond_broadcast(&starter->changed);
	}
	pthread_mutex_unlock(&starter->lock);
	return NULL;
}

struct starter *starter_new(void)
{
	struct starter *starter = calloc(1, sizeof(*starter));
	int error;

	if (!starter) {
		return NULL;
	}
	pthread_mutex_init(&starter->lock, NULL);
	pthread_cond_init(&starter->changed, NULL);
	error = thread_start(&starter->thread, starter_main, starter);
	if (error) {
		free(starter);
		errno = error;
		return NULL;
	}
	return starter;
}

void starter_begin(struct starter *starter, void (*job)(void *argument), void *argument)
{
	pthread_mutex_lock(&starter->lock);
	starter->job = job;
	starter->argument = argument;
	starter->busy = true;
	pthread_cond_broadcast(&starter->changed);
	pthread_mutex_unlock(&starter->lock);
}

void starter_await(struct starter *starter)
{
	pthread_mutex_lock(&starter->lock);
	while (starter->busy) {
		pthread_cond_wait(&starter->changed, &starter->lock);
	}
	pthread_mutex_unlock(&starter->lock);
}

void starter_free(struct starter *starter)
{
	if (!starter) {
		return;
	}
	starter_await(starter);
	pthread_mutex_lock(&starter->lock);
	starter->ending = true;
	pthread_cond_broadcast(&starter->changed);
	pthread_mutex_unlock(&starter->lock);
	pthread_join(starter->thread, NULL);
	pthread_cond_destroy(&starter->changed);
	pthread_mutex_destroy(&starter->lock);
	free(starter);
}
