/* SPDX-License-Identifier: MIT */
#include "bench/outcome.h"

#include <errno.h>
#include <stddef.h>

static const char *const names[OUTCOMES] = {
	[OUTCOME_ANSWERED] = "answered",
	[OUTCOME_LOST] = "lost",
	[OUTCOME_BAD_NOT_TEXT] = "not-text",
	[OUTCOME_BAD_UNFINISHED] = "unfinished",
	[OUTCOME_BAD_TOO_LONG] = "too-long",
	[OUTCOME_BAD_UNEXPECTED] = "unexpected",
	[OUTCOME_BAD_STATUS] = "status",
	[OUTCOME_ERROR_REFUSED] = "refused",
	[OUTCOME_ERROR_RESET] = "reset",
	[OUTCOME_ERROR_CLOSED] = "closed",
	[OUTCOME_ERROR_SERVER] = "server-error",
	[OUTCOME_ERROR_UNREACHABLE] = "unreachable",
	[OUTCOME_ERROR_NOT_THERE] = "not-there",
	[OUTCOME_ERROR_DENIED] = "denied",
	[OUTCOME_ERROR_TCP_TIMEOUT] = "tcp-timeout",
	[OUTCOME_ERROR_NO_PORTS] = "no-ports",
	[OUTCOME_ERROR_NO_RESOURCES] = "no-resources",
	[OUTCOME_ERROR_OTHER] = "other",
};

static const struct {
	int error;
	enum outcome outcome;
} errors[] = {
	{ ECONNREFUSED, OUTCOME_ERROR_REFUSED },
	{ ECONNRESET, OUTCOME_ERROR_RESET },
	{ ECONNABORTED, OUTCOME_ERROR_RESET },
	{ EPIPE, OUTCOME_ERROR_RESET },
	{ ENETUNREACH, OUTCOME_ERROR_UNREACHABLE },
	{ EHOSTUNREACH, OUTCOME_ERROR_UNREACHABLE },
	{ ENETDOWN, OUTCOME_ERROR_UNREACHABLE },
	{ ENOENT, OUTCOME_ERROR_NOT_THERE },
	{ EIDRM, OUTCOME_ERROR_NOT_THERE },
	{ EINVAL, OUTCOME_ERROR_NOT_THERE },
	{ EACCES, OUTCOME_ERROR_DENIED },
	{ EPERM, OUTCOME_ERROR_DENIED },
	{ ETIMEDOUT, OUTCOME_ERROR_TCP_TIMEOUT },
	{ EADDRNOTAVAIL, OUTCOME_ERROR_NO_PORTS },
	{ EMFILE, OUTCOME_ERROR_NO_RESOURCES },
	{ ENFILE, OUTCOME_ERROR_NO_RESOURCES },
	{ ENOBUFS, OUTCOME_ERROR_NO_RESOURCES },
	{ ENOMEM, OUTCOME_ERROR_NO_RESOURCES },
};

enum outcome outcome_of_errno(int error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].error == error) {
			return errors[i].outcome;
		}
	}
	return OUTCOME_ERROR_OTHER;
}

const char *outcome_name(enum outcome outcome)
{
	return names[outcome];
}

bool outcome_is_bad(enum outcome outcome)
{
	return outcome >= OUTCOME_BAD_NOT_TEXT && outcome <= OUTCOME_BAD_STATUS;
}

bool outcome_is_error(enum outcome outcome)
{
	return outcome >= OUTCOME_ERROR_REFUSED;
}

bool outcome_is_own_fault(enum outcome outcome)
{
	return outcome == OUTCOME_ERROR_NO_PORTS || outcome == OUTCOME_ERROR_NO_RESOURCES;
}
