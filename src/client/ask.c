/* SPDX-License-Identifier: MIT */
#include "client/ask.h"

#include <errno.h>
#include <sys/random.h>

#include "client/resolver.h"
#include "client/transport.h"
#include "common/resolve.h"

#define FIRST_REST_NS	   (100 * CLOCK_MS)
#define FIRST_WAIT_REST_NS CLOCK_S
#define LONGEST_REST_NS	   (64 * CLOCK_S)

struct asking {
	const struct address *address;
	const struct ask_options *options;
	const struct transport *transport;
	void *talk;
	struct resolver *resolver;
	bool looking_up;		/* the resolver has been asked, and has not answered yet */
	struct addrinfo *addresses;	/* of this try */
	struct ask_outcome *outcome;
};

static uint64_t doubled(uint64_t first_ns, unsigned tries)
{
	uint64_t rest_ns = first_ns;

	for (unsigned i = 1; i < tries && rest_ns < LONGEST_REST_NS; i++) {
		rest_ns *= 2;
	}
	return rest_ns < LONGEST_REST_NS ? rest_ns : LONGEST_REST_NS;
}

uint64_t ask_rest_ns(const struct ask_options *options, unsigned tries, uint64_t elapsed_ns,
	uint16_t random)
{
	uint64_t rest_ns;

	if (options->wait) {
		if (elapsed_ns >= options->wait_ns) {
			return ASK_NO_MORE;
		}
		rest_ns = doubled(FIRST_WAIT_REST_NS, tries);
		return rest_ns < options->wait_ns - elapsed_ns ? rest_ns
							       : options->wait_ns - elapsed_ns;
	}
	if (tries >= options->tries) {
		return ASK_NO_MORE;
	}
	rest_ns = doubled(FIRST_REST_NS, tries);
	return rest_ns - rest_ns / 4 + rest_ns / 2 * random / UINT16_MAX;
}

/*
 * Clients that one event has made fail together must not come back together. A seed from time and
 * process id can be the same on machines that booted together; the kernel's numbers are not. If it
 * has none, a rest without jitter is good enough.
 */
static uint16_t jitter(void)
{
	uint16_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
		random = UINT16_MAX / 2;
	}
	return random;
}

/* Wait until one of FDS is ready or the clock shows WAKE_NS. */
static int wait_until(struct pollfd *fds, unsigned count, uint64_t wake_ns)
{
	return poll(fds, count, clock_poll_ms(wake_ns)) < 0 && errno != EINTR ? -1 : 0;
}

/* Drive the talk until it is decided, or until UNTIL_NS. */
static enum transport_state drive(struct asking *asking, uint64_t until_ns)
{
	struct answer *answer = &asking->outcome->answer;

	for (;;) {
		struct pollfd fds[TRANSPORT_WATCHED_MAX];
		uint64_t now_ns = clock_now_ns();
		uint64_t wake_ns = until_ns;
		enum transport_state state = asking->transport->step(asking->talk, now_ns, answer);
		unsigned count;

		if (state != TRANSPORT_PENDING || now_ns >= until_ns) {
			return state;
		}
		count = asking->transport->watch(asking->talk, fds, &wake_ns);
		if (wait_until(fds, count, wake_ns) < 0) {
			transport_fail(answer, errno);
			return TRANSPORT_BROKEN;
		}
	}
}

static enum transport_state take_addresses(struct asking *asking,
	const struct resolver_result *result)
{
	asking->looking_up = false;
	asking->addresses = result->addresses;
	if (asking->addresses) {
		return TRANSPORT_PENDING;
	}
	answer_fail(&asking->outcome->answer, result->why);
	return result->error == ENOENT ? TRANSPORT_DECLINED : TRANSPORT_BROKEN;
}

/* Returns PENDING when the addresses are there. A look-up that is under way is not repeated. */
static enum transport_state look_up(struct asking *asking, uint64_t deadline_ns)
{
	struct pollfd fd = { .fd = resolver_fd(asking->resolver), .events = POLLIN };
	struct answer *answer = &asking->outcome->answer;
	struct resolver_result result;

	if (resolve_at_once(asking->address, asking->options->family, &asking->addresses) == 0) {
		return TRANSPORT_PENDING;
	}
	if (!asking->looking_up && resolver_ask(asking->resolver, asking->address, NULL) < 0) {
		transport_fail(answer, errno);
		return TRANSPORT_BROKEN;
	}
	asking->looking_up = true;
	while (!resolver_take(asking->resolver, &result)) {
		if (clock_now_ns() >= deadline_ns) {
			answer_fail(answer, "timed out looking up the name");
			return TRANSPORT_FAILED;
		}
		if (wait_until(&fd, 1, deadline_ns) < 0) {
			transport_fail(answer, errno);
			return TRANSPORT_BROKEN;
		}
	}
	return take_addresses(asking, &result);
}

/*
 * The name is looked up again for each try, as the answer may change while the host comes up. But
 * the resolver has tried and retried by itself: a failed look-up is final unless we are to wait.
 */
static enum transport_state try_once(struct asking *asking)
{
	uint64_t deadline_ns = clock_now_ns() + asking->options->timeout_ns;
	enum transport_state state;

	asking->outcome->tries++;
	state = look_up(asking, deadline_ns);
	if (state != TRANSPORT_PENDING) {
		return state;
	}
	asking->transport->start(asking->talk, asking->addresses, deadline_ns);
	state = drive(asking, CLOCK_NEVER);
	resolve_free(asking->addresses);
	asking->addresses = NULL;
	return state;
}

static enum transport_state try_and_rest(struct asking *asking)
{
	const struct ask_options *options = asking->options;
	uint64_t began_ns = clock_now_ns();

	for (;;) {
		enum transport_state state = try_once(asking);
		uint64_t rest_ns;
		uint64_t now_ns;

		if (state == TRANSPORT_ANSWERED || state == TRANSPORT_BROKEN ||
		    (state == TRANSPORT_DECLINED && !options->wait)) {
			return state;
		}
		now_ns = clock_now_ns();
		rest_ns = ask_rest_ns(options, asking->outcome->tries, now_ns - began_ns, jitter());
		if (rest_ns == ASK_NO_MORE) {
			return state;
		}
		state = drive(asking, now_ns + rest_ns);
		if (state != TRANSPORT_PENDING) {
			return state;
		}
	}
}

void ask(const struct address *address, const struct ask_options *options,
	struct ask_outcome *outcome)
{
	struct asking asking = {
		.address = address,
		.options = options,
		.transport = transport_find(address->scheme),
		.outcome = outcome,
	};
	enum transport_state state = TRANSPORT_BROKEN;

	*outcome = (struct ask_outcome){ .tries = 0 };
	asking.resolver = resolver_start(options->family, 1);
	asking.talk = asking.resolver ? asking.transport->open(address) : NULL;
	if (!asking.talk) {
		transport_fail(&outcome->answer, errno);
	} else {
		state = try_and_rest(&asking);
		asking.transport->close(asking.talk);
	}
	resolver_stop(asking.resolver);
	if (state == TRANSPORT_ANSWERED) {
		outcome->status = ASK_ANSWERED;
	} else {
		outcome->status = state == TRANSPORT_BROKEN ? ASK_BROKEN : ASK_UNANSWERED;
	}
}
