/* SPDX-License-Identifier: MIT */
#include "client/ask/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/io.h"
#include "common/resolve.h"

/* When there is no descriptor left: others give theirs back in their time. */
#define SHORTAGES_MAX	 1000
#define SHORTAGE_REST_NS (50 * CLOCK_MS)

int host_begin(struct host *host, struct host_common *common, const struct address *address,
	struct addrinfo *addresses, uint64_t owner, uint64_t now_ns)
{
	*host = (struct host){
		.phase = HOST_RESTING,
		.transport = transport_find(address->scheme),
		.addresses = addresses,
		.owner = owner,
		.began_ns = now_ns,
		.ends_ns = now_ns,
	};
	host->talk = host->transport->open(address, &common->transport, owner);
	return host->talk ? 0 : -1;
}

void host_end(struct host *host)
{
	if (host->talk) {
		host->transport->close(host->talk);
	}
	resolve_free(host->addresses);
	resolve_free(host->result.addresses);
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

static void rest(struct host *host, uint64_t until_ns)
{
	host->phase = HOST_RESTING;
	host->ends_ns = until_ns;
}

/* This try has ended in STATE. */
static enum host_state end_try(struct host *host, struct host_common *common,
	enum transport_state state, uint64_t now_ns, const struct answer *answer)
{
	const struct ask_options *options = common->options;
	uint64_t rest_ns;

	if (state == TRANSPORT_ANSWERED) {
		return HOST_ANSWERED;
	}
	if (state == TRANSPORT_BROKEN) {
		if (host->shortages++ == SHORTAGES_MAX ||
		    !common->may_wait(common->context, answer->error)) {
			return HOST_BROKEN;
		}
		host->tries--;
		rest(host, now_ns + SHORTAGE_REST_NS);
		return HOST_PENDING;
	}
	if (state == TRANSPORT_DECLINED && !options->wait) {
		return HOST_UNANSWERED;
	}
	rest_ns = ask_rest_ns(options, host->tries, now_ns - host->began_ns, jitter());
	if (rest_ns == ASK_NO_MORE) {
		return HOST_UNANSWERED;
	}
	rest(host, now_ns + rest_ns);
	return HOST_PENDING;
}

/* A look-up that is under way is not repeated by a later try. Returns 0, or -1 with errno. */
static int ask_resolver(struct host *host, struct host_common *common,
	const struct address *address)
{
	if (host->looking_up) {
		return 0;
	}
	if (resolver_ask(common->resolver, address, host->owner) < 0) {
		return -1;
	}
	host->looking_up = true;
	common->look_ups++;
	return 0;
}

void host_take_addresses(struct host *host, const struct resolver_result *result)
{
	host->looking_up = false;
	resolve_free(host->addresses);
	host->addresses = result->addresses;
	host->result = *result;
	host->result.addresses = NULL;
}

/*
 * The name is looked up again for each try of a host that is waited for, as the answer may change
 * while it comes up. But the system's resolver has tried and retried by itself: a failed look-up is
 * final unless we are to wait.
 */
static enum transport_state begin_try(struct host *host, struct host_common *common,
	const struct address *address, uint64_t now_ns, struct answer *answer)
{
	host->tries++;
	host->ends_ns = now_ns + common->options->timeout_ns;
	host->phase = HOST_LOOKING_UP;
	if (common->options->wait && host->tries > 1 && address_is_inet(address) &&
	    !host->looking_up) {
		resolve_free(host->addresses);
		host->addresses = NULL;
		(void)resolve_at_once(address, common->options->family, &host->addresses);
	}
	host->result.why = NULL;
	if (host->addresses || address->scheme == ADDRESS_MSGQ) {
		return TRANSPORT_PENDING;
	}
	if (ask_resolver(host, common, address) < 0) {
		transport_fail(answer, errno);
		return TRANSPORT_BROKEN;
	}
	return TRANSPORT_PENDING;
}

static enum transport_state step_looking_up(struct host *host, const struct address *address,
	uint64_t now_ns, struct answer *answer)
{
	if (host->addresses || address->scheme == ADDRESS_MSGQ) {
		host->phase = HOST_TRYING;
		host->transport->start(host->talk, host->addresses, host->ends_ns);
		return TRANSPORT_PENDING;
	}
	if (host->result.why) {
		answer_fail(answer, host->result.why);
		return host->result.error == ENOENT ? TRANSPORT_DECLINED : TRANSPORT_BROKEN;
	}
	if (now_ns >= host->ends_ns) {
		answer_fail(answer, "timed out looking up the name");
		return TRANSPORT_FAILED;
	}
	return TRANSPORT_PENDING;
}

enum host_state host_step(struct host *host, struct host_common *common,
	const struct address *address, uint64_t now_ns, struct answer *answer)
{
	enum transport_state state = TRANSPORT_PENDING;

	if (host->phase == HOST_RESTING) {
		/* For the late answer to an earlier try. */
		state = host->tries ? host->transport->step(host->talk, now_ns, answer) : state;
		if (state == TRANSPORT_ANSWERED) {
			return HOST_ANSWERED;
		}
		if (now_ns < host->ends_ns) {
			return HOST_PENDING;
		}
		state = begin_try(host, common, address, now_ns, answer);
	}
	if (state == TRANSPORT_PENDING && host->phase == HOST_LOOKING_UP) {
		state = step_looking_up(host, address, now_ns, answer);
	}
	if (state == TRANSPORT_PENDING && host->phase == HOST_TRYING) {
		state = host->transport->step(host->talk, now_ns, answer);
	}
	if (state == TRANSPORT_PENDING) {
		return HOST_PENDING;
	}
	return end_try(host, common, state, now_ns, answer);
}

unsigned host_watch(const struct host *host, struct pollfd *fds, uint64_t *wake_ns)
{
	if (host->phase != HOST_TRYING && *wake_ns > host->ends_ns) {
		*wake_ns = host->ends_ns;
	}
	return host->transport->watch(host->talk, fds, wake_ns);
}
