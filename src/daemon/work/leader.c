/* SPDX-License-Identifier: MIT */
#include "daemon/work/leader.h"

#include <errno.h>

#include "common/clock.h"

int leader_init(struct leader *leader)
{
	*leader = (struct leader){ .led = false };
	pthread_mutex_init(&leader->lock, NULL);
	/* Not a timed mutex lock: the thread sanitizers of today know no CLOCK_MONOTONIC there. */
	return clock_init_condition(&leader->called);
}

void leader_fini(struct leader *leader)
{
	pthread_cond_destroy(&leader->called);
	pthread_mutex_destroy(&leader->lock);
}

/* Lock held. */
static bool may_lead(const struct leader *leader)
{
	return !leader->led && (leader->wanted || leader->answering == 0);
}

enum leader_result leader_take(struct leader *leader, uint64_t deadline_ns)
{
	struct timespec deadline = clock_timespec(deadline_ns);
	enum leader_result result = LEADER_OVER;
	int error = 0;

	pthread_mutex_lock(&leader->lock);
	while (!leader->over && !may_lead(leader) && !error) {
		error = deadline_ns == CLOCK_NEVER
				? pthread_cond_wait(&leader->called, &leader->lock)
				: pthread_cond_timedwait(&leader->called, &leader->lock, &deadline);
	}
	if (!leader->over) {
		result = may_lead(leader) ? LEADER_TAKEN : LEADER_LATE;
	}
	if (result == LEADER_TAKEN) {
		leader->led = true;
		leader->wanted = false;
	}
	pthread_mutex_unlock(&leader->lock);
	return result;
}

void leader_hand_on(struct leader *leader)
{
	pthread_mutex_lock(&leader->lock);
	leader->led = false;
	leader->answering++;
	pthread_mutex_unlock(&leader->lock);
}

void leader_call(struct leader *leader)
{
	bool call;

	pthread_mutex_lock(&leader->lock);
	call = !leader->led && !leader->wanted;
	leader->wanted = leader->wanted || call;
	pthread_mutex_unlock(&leader->lock);
	if (call) {
		pthread_cond_signal(&leader->called);
	}
}

void leader_answered(struct leader *leader)
{
	/* No call: the worker that is done comes for the role itself. */
	pthread_mutex_lock(&leader->lock);
	leader->answering--;
	pthread_mutex_unlock(&leader->lock);
}

void leader_end(struct leader *leader)
{
	pthread_mutex_lock(&leader->lock);
	leader->led = false;
	leader->over = true;
	pthread_mutex_unlock(&leader->lock);
	pthread_cond_broadcast(&leader->called);
}
