/* SPDX-License-Identifier: MIT */
#include "daemon/work/batch_wait.h"

/* Each new figure moves an average by an eighth of the difference. */
#define SMOOTHING 8

/* Before any is known: what is usual for the command and a connection. */
#define FIRST_RUN_NS	(2 * CLOCK_MS)
#define FIRST_ANSWER_NS (20 * CLOCK_US)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void smooth(uint64_t *average, uint64_t now)
{
	*average += now / SMOOTHING;
	*average -= *average / (SMOOTHING + 1);
}

void batch_wait_init(struct batch_wait *wait)
{
	*wait = (struct batch_wait){ .run_ns = FIRST_RUN_NS, .answer_ns = FIRST_ANSWER_NS };
	pthread_mutex_init(&wait->lock, NULL);
}

void batch_wait_fini(struct batch_wait *wait)
{
	pthread_mutex_destroy(&wait->lock);
}

/* Lock held. After a crowd. */
static uint64_t longest_gather_ns(const struct batch_wait *wait)
{
	uint64_t answers_ns = wait->crowd * wait->answer_ns;
	uint64_t gather_ns = most(wait->run_ns / BATCH_WAIT_GATHER_PART,
		least(wait->run_ns, answers_ns));

	gather_ns = least(gather_ns, BATCH_WAIT_GATHER_MAX_NS);
	return most(gather_ns < BATCH_WAIT_RUN_MIN_NS ? 0 : gather_ns, wait->pace_ns);
}

uint64_t batch_wait_gather_ns(struct batch_wait *wait, uint64_t now_ns, uint64_t *crowd)
{
	uint64_t end_ns;

	pthread_mutex_lock(&wait->lock);
	*crowd = wait->crowd;
	end_ns = *crowd < BATCH_WAIT_CROWD ? 0 : wait->crowd_ns + longest_gather_ns(wait);
	pthread_mutex_unlock(&wait->lock);
	return now_ns < end_ns ? end_ns - now_ns : 0;
}

/* Lock held. */
static uint64_t counted_run_ns(const struct batch_wait *wait)
{
	return most(wait->run_ns, BATCH_WAIT_RUN_MIN_NS);
}

/* Lock held. */
static uint64_t worth_of(const struct batch_wait *wait)
{
	return BATCH_WAIT_RUNS * counted_run_ns(wait) / wait->answer_ns + 1;
}

uint64_t batch_wait_worth(struct batch_wait *wait)
{
	uint64_t worth;

	pthread_mutex_lock(&wait->lock);
	worth = worth_of(wait);
	pthread_mutex_unlock(&wait->lock);
	return worth;
}

void batch_wait_run_ended(struct batch_wait *wait, uint64_t began_ns, uint64_t ended_ns,
	struct batch_wait_turn *turn)
{
	pthread_mutex_lock(&wait->lock);
	smooth(&wait->run_ns, ended_ns - began_ns);
	turn->began_ns = ended_ns;
	turn->worth = worth_of(wait);
	turn->due_ns = ended_ns + most(BATCH_WAIT_RUNS * counted_run_ns(wait), BATCH_WAIT_PAUSE_NS);
	pthread_mutex_unlock(&wait->lock);
}

bool batch_wait_is_due(const struct batch_wait_turn *turn, uint64_t waiting, uint64_t now_ns)
{
	return waiting && (waiting >= turn->worth || now_ns >= turn->due_ns);
}

void batch_wait_answered(struct batch_wait *wait, const struct batch_wait_turn *turn,
	uint64_t count, uint64_t now_ns)
{
	pthread_mutex_lock(&wait->lock);
	if (count) {
		smooth(&wait->answer_ns, (now_ns - turn->began_ns) / count + 1);
	}
	wait->crowd = count;
	wait->crowd_ns = now_ns;
	pthread_mutex_unlock(&wait->lock);
}

uint64_t batch_wait_adapt(struct batch_wait *wait, const struct batch_wait_run *run)
{
	uint64_t many = run->worth > BATCH_WAIT_MANY / 2 ? 2 * run->worth : BATCH_WAIT_MANY;
	uint64_t *pace_ns = &wait->pace_ns;

	wait->peak = most(run->connections, wait->peak - wait->peak / BATCH_WAIT_PEAK_RUNS);
	if (!run->scarce || run->connections < BATCH_WAIT_FEW || wait->peak < BATCH_WAIT_PEAK) {
		*pace_ns = *pace_ns > BATCH_WAIT_MIN_NS ? *pace_ns / 2 : 0;
	} else if (run->connections < many) {
		*pace_ns = *pace_ns ? least(2 * *pace_ns, BATCH_WAIT_MAX_NS) : BATCH_WAIT_MIN_NS;
	}
	if (run->back_ns) {
		*pace_ns = least(*pace_ns, run->back_ns + run->back_ns / 2);
	}
	return *pace_ns;
}

uint64_t batch_wait_rest_ns(const struct batch_wait *wait)
{
	return wait->pace_ns / BATCH_WAIT_REST_PART;
}
