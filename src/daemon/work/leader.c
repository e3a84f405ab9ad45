/* SPDX-License-Identifier: MIT */
#include "daemon/work/leader.h"

#include <errno.h>

#include "common/clock.h"

/* Each new figure moves what is known by an eighth of the difference. */
#define SMOOTHING 8

/* Before anything is known: what is usual for the command and a connection. */
#define FIRST_RUN_NS	(2 * CLOCK_MS)
#define FIRST_ANSWER_NS (20 * CLOCK_US)

int leader_init(struct leader *leader)
{
	pthread_condattr_t attributes;
	int error;

	*leader = (struct leader){ .run_ns = FIRST_RUN_NS, .answer_ns = FIRST_ANSWER_NS };
	pthread_mutex_init(&leader->lock, NULL);
	/* Not a timed mutex lock: the thread sanitizers of today know no CLOCK_MONOTONIC there. */
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(&leader->called, &attributes);
	pthread_condattr_destroy(&attributes);
	errno = error;
	return error ? -1 : 0;
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

static void smooth(uint64_t *known, uint64_t now)
{
	*known += now / SMOOTHING;
	*known -= *known / (SMOOTHING + 1);
}

uint64_t leader_gather_ns(struct leader *leader, uint64_t pace_ns, uint64_t now_ns, uint64_t *crowd)
{
	uint64_t moment_ns;
	uint64_t end_ns;

	pthread_mutex_lock(&leader->lock);
	moment_ns = leader->run_ns / LEADER_GATHER_PART;
	if (moment_ns > LEADER_GATHER_MAX_NS) {
		moment_ns = LEADER_GATHER_MAX_NS;
	}
	if (moment_ns < LEADER_RUN_MIN_NS) {
		moment_ns = 0;
	}
	if (moment_ns < pace_ns) {
		moment_ns = pace_ns;
	}
	*crowd = leader->crowd;
	end_ns = *crowd < LEADER_CROWD ? 0 : leader->crowd_ns + moment_ns;
	pthread_mutex_unlock(&leader->lock);
	return now_ns < end_ns ? end_ns - now_ns : 0;
}

/* Lock held. */
static uint64_t counted_run_ns(const struct leader *leader)
{
	return leader->run_ns > LEADER_RUN_MIN_NS ? leader->run_ns : LEADER_RUN_MIN_NS;
}

uint64_t leader_worth(struct leader *leader)
{
	uint64_t worth;

	pthread_mutex_lock(&leader->lock);
	worth = LEADER_WORTH * counted_run_ns(leader) / leader->answer_ns + 1;
	pthread_mutex_unlock(&leader->lock);
	return worth;
}

void leader_hand_on(
	struct leader *leader, uint64_t began_ns, uint64_t ended_ns, struct leader_turn *turn)
{
	uint64_t run_ns;

	pthread_mutex_lock(&leader->lock);
	leader->led = false;
	leader->answering++;
	smooth(&leader->run_ns, ended_ns - began_ns);
	run_ns = counted_run_ns(leader);
	turn->began_ns = ended_ns;
	turn->worth = LEADER_WORTH * run_ns / leader->answer_ns + 1;
	turn->due_ns = ended_ns + LEADER_WORTH * run_ns;
	if (turn->due_ns < ended_ns + LEADER_PAUSE_NS) {
		turn->due_ns = ended_ns + LEADER_PAUSE_NS;
	}
	pthread_mutex_unlock(&leader->lock);
}

void leader_look(struct leader *leader, struct leader_turn *turn, uint64_t waiting, uint64_t now_ns)
{
	bool call;

	if (!waiting || (waiting < turn->worth && now_ns < turn->due_ns)) {
		return;
	}
	pthread_mutex_lock(&leader->lock);
	call = !leader->led && !leader->wanted;
	leader->wanted = leader->wanted || call;
	pthread_mutex_unlock(&leader->lock);
	if (call) {
		pthread_cond_signal(&leader->called);
	}
}

void leader_done(
	struct leader *leader, const struct leader_turn *turn, uint64_t count, uint64_t now_ns)
{
	pthread_mutex_lock(&leader->lock);
	leader->answering--;
	if (count) {
		smooth(&leader->answer_ns, (now_ns - turn->began_ns) / count + 1);
	}
	leader->crowd = count;
	leader->crowd_ns = now_ns;
	pthread_mutex_unlock(&leader->lock);
	/* Whoever is done comes for the lead itself next: nobody needs to be called. */
}

void leader_end(struct leader *leader)
{
	pthread_mutex_lock(&leader->lock);
	leader->led = false;
	leader->over = true;
	pthread_mutex_unlock(&leader->lock);
	pthread_cond_broadcast(&leader->called);
}
