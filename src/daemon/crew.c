/* SPDX-License-Identifier: MIT */
#include "daemon/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct crew {
	pthread_t thread;
	int (*enter)(void *argument);
	void *enter_argument;
	pthread_mutex_t lock;	/* protects what follows */
	pthread_cond_t changed;
	void (*job)(void *argument);
	void *argument;
	bool busy;
	bool ending;
	int error;		/* of enter() */
};

static void *crew_main(void *argument)
{
	struct crew *crew = argument;
	int error = crew->enter(crew->enter_argument) < 0 ? errno : 0;

	pthread_setname_np(pthread_self(), "crew");
	pthread_mutex_lock(&crew->lock);
	crew->error = error;
	crew->busy = false;
	pthread_cond_broadcast(&crew->changed);
	while (!crew->ending && !error) {
		if (!crew->job) {
			pthread_cond_wait(&crew->changed, &crew->lock);
			continue;
		}
		pthread_mutex_unlock(&crew->lock);
		crew->job(crew->argument);
		pthread_mutex_lock(&crew->lock);
		crew->job = NULL;
		crew->busy = false;
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void end(struct crew *crew)
{
	pthread_join(crew->thread, NULL);
	pthread_cond_destroy(&crew->changed);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

struct crew *crew_new(int (*enter)(void *argument), void *argument)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	int error;

	if (!crew) {
		return NULL;
	}
	crew->enter = enter;
	crew->enter_argument = argument;
	crew->busy = true;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	error = pthread_create(&crew->thread, NULL, crew_main, crew);
	if (error) {
		free(crew);
		errno = error;
		return NULL;
	}
	crew_await(crew);
	error = crew->error;
	if (error) {
		end(crew);
		errno = error;
		return NULL;
	}
	return crew;
}

void crew_begin(struct crew *crew, void (*job)(void *argument), void *argument)
{
	pthread_mutex_lock(&crew->lock);
	crew->job = job;
	crew->argument = argument;
	crew->busy = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

void crew_await(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->busy) {
		pthread_cond_wait(&crew->changed, &crew->lock);
	}
	pthread_mutex_unlock(&crew->lock);
}

void crew_free(struct crew *crew)
{
	if (!crew) {
		return;
	}
	crew_await(crew);
	pthread_mutex_lock(&crew->lock);
	crew->ending = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
	end(crew);
}
