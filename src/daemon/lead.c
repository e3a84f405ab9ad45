/* SPDX-License-Identifier: MIT */
#include "daemon/lead.h"

#include <errno.h>

#include "common/clock.h"

/* Each new figure moves what is known by an eighth of the difference. */
#define SMOOTHING 8

/* Before anything is known: what is usual for the command and a connection. */
#define FIRST_RUN_NS	(2 * CLOCK_MS)
#define FIRST_ANSWER_NS (20 * CLOCK_US)

int lead_init(struct lead *lead)
{
	pthread_condattr_t attributes;
	int error;

	*lead = (struct lead){ .run_ns = FIRST_RUN_NS, .answer_ns = FIRST_ANSWER_NS };
	pthread_mutex_init(&lead->lock, NULL);
	/* Not a timed mutex lock: the thread sanitizers of today know no CLOCK_MONOTONIC there. */
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(&lead->called, &attributes);
	pthread_condattr_destroy(&attributes);
	errno = error;
	return error ? -1 : 0;
}

void lead_fini(struct lead *lead)
{
	pthread_cond_destroy(&lead->called);
	pthread_mutex_destroy(&lead->lock);
}

/* Lock held. */
static bool may_lead(const struct lead *lead)
{
	return !lead->led && (lead->wanted || lead->answering == 0);
}

enum lead_result lead_take(struct lead *lead, uint64_t deadline_ns)
{
	struct timespec deadline = clock_timespec(deadline_ns);
	enum lead_result result = LEAD_OVER;
	int error = 0;

	pthread_mutex_lock(&lead->lock);
	while (!lead->over && !may_lead(lead) && !error) {
		error = deadline_ns == CLOCK_NEVER
				? pthread_cond_wait(&lead->called, &lead->lock)
				: pthread_cond_timedwait(&lead->called, &lead->lock, &deadline);
	}
	if (!lead->over) {
		result = may_lead(lead) ? LEAD_TAKEN : LEAD_LATE;
	}
	if (result == LEAD_TAKEN) {
		lead->led = true;
		lead->wanted = false;
	}
	pthread_mutex_unlock(&lead->lock);
	return result;
}

static void smooth(uint64_t *known, uint64_t now)
{
	*known += now / SMOOTHING;
	*known -= *known / (SMOOTHING + 1);
}

uint64_t lead_gather_ns(struct lead *lead, uint64_t pace_ns, uint64_t now_ns, uint64_t *crowd)
{
	uint64_t moment_ns;
	uint64_t end_ns;

	pthread_mutex_lock(&lead->lock);
	moment_ns = lead->run_ns / LEAD_GATHER_PART;
	if (moment_ns > LEAD_GATHER_MAX_NS) {
		moment_ns = LEAD_GATHER_MAX_NS;
	}
	if (moment_ns < LEAD_RUN_MIN_NS) {
		moment_ns = 0;
	}
	if (moment_ns < pace_ns) {
		moment_ns = pace_ns;
	}
	*crowd = lead->crowd;
	end_ns = *crowd < LEAD_CROWD ? 0 : lead->crowd_ns + moment_ns;
	pthread_mutex_unlock(&lead->lock);
	return now_ns < end_ns ? end_ns - now_ns : 0;
}

/* Lock held. */
static uint64_t counted_run_ns(const struct lead *lead)
{
	return lead->run_ns > LEAD_RUN_MIN_NS ? lead->run_ns : LEAD_RUN_MIN_NS;
}

uint64_t lead_worth(struct lead *lead)
{
	uint64_t worth;

	pthread_mutex_lock(&lead->lock);
	worth = LEAD_WORTH * counted_run_ns(lead) / lead->answer_ns + 1;
	pthread_mutex_unlock(&lead->lock);
	return worth;
}

void lead_hand_on(struct lead *lead, uint64_t began_ns, uint64_t ended_ns, struct lead_turn *turn)
{
	uint64_t run_ns;

	pthread_mutex_lock(&lead->lock);
	lead->led = false;
	lead->answering++;
	smooth(&lead->run_ns, ended_ns - began_ns);
	run_ns = counted_run_ns(lead);
	turn->began_ns = ended_ns;
	turn->worth = LEAD_WORTH * run_ns / lead->answer_ns + 1;
	turn->due_ns = ended_ns + LEAD_WORTH * run_ns;
	if (turn->due_ns < ended_ns + LEAD_PAUSE_NS) {
		turn->due_ns = ended_ns + LEAD_PAUSE_NS;
	}
	pthread_mutex_unlock(&lead->lock);
}

void lead_look(struct lead *lead, struct lead_turn *turn, uint64_t waiting, uint64_t now_ns)
{
	bool call;

	if (!waiting || (waiting < turn->worth && now_ns < turn->due_ns)) {
		return;
	}
	pthread_mutex_lock(&lead->lock);
	call = !lead->led && !lead->wanted;
	lead->wanted = lead->wanted || call;
	pthread_mutex_unlock(&lead->lock);
	if (call) {
		pthread_cond_signal(&lead->called);
	}
}

void lead_done(struct lead *lead, const struct lead_turn *turn, uint64_t count, uint64_t now_ns)
{
	pthread_mutex_lock(&lead->lock);
	lead->answering--;
	if (count) {
		smooth(&lead->answer_ns, (now_ns - turn->began_ns) / count + 1);
	}
	lead->crowd = count;
	lead->crowd_ns = now_ns;
	pthread_mutex_unlock(&lead->lock);
	/* Whoever is done comes for the lead itself next: nobody needs to be called. */
}

void lead_end(struct lead *lead)
{
	pthread_mutex_lock(&lead->lock);
	lead->led = false;
	lead->over = true;
	pthread_mutex_unlock(&lead->lock);
	pthread_cond_broadcast(&lead->called);
}
