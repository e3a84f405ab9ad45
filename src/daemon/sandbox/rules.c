/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/rules.h"

#include <stdio.h>
#include <string.h>

/* Longer than the name of any system call. */
#define NAME_BYTES 64

/* Does libseccomp know call NUMBER as one of those that socketcall() makes on this architecture? */
static bool is_in_socketcall(int number)
{
	return number <= __PNR_socket && number >= __PNR_sendmmsg;
}

/* NAME has LEN bytes. */
static void add_name(struct rules *rules, uint32_t action, const char *name, size_t len,
	unsigned count, const struct scmp_arg_cmp *arguments)
{
	char text[NAME_BYTES];
	int number;

	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	number = seccomp_syscall_resolve_name(text);
	/* A filter sees the call of socketcall(), but not its arguments: they are in memory. */
	if (count > 0 && is_in_socketcall(number)) {
		return;
	}
	/* Those of other architectures libseccomp knows, and leaves out. */
	if (!rules->error && number != __NR_SCMP_ERROR) {
		rules->error =
			-seccomp_rule_add_array(rules->filter, action, number, count, arguments);
	}
}

void rules_add(struct rules *rules, uint32_t action, const char *names, unsigned count,
	const struct scmp_arg_cmp *arguments)
{
	for (const char *at = names; *at;) {
		size_t len = strcspn(at, " ");

		if (len) {
			add_name(rules, action, at, len, count, arguments);
		}
		at += len + (at[len] == ' ');
	}
}

void rules_add_calls(struct rules *rules, uint32_t action, const struct sandbox_calls *calls)
{
	for (; calls->names; calls++) {
		rules_add(rules, action, calls->names, 0, NULL);
	}
}

void rules_add_masked(struct rules *rules, uint32_t action, const char *names, unsigned index,
	uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp argument = SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, mask, value);

	rules_add(rules, action, names, 1, &argument);
}

void rules_add_int(
	struct rules *rules, uint32_t action, const char *names, unsigned index, uint32_t value)
{
	rules_add_masked(rules, action, names, index, UINT32_MAX, value);
}

void rules_refuse_other(struct rules *rules, const char *names, unsigned index, uint64_t value)
{
	struct scmp_arg_cmp argument = SCMP_CMP64(index, SCMP_CMP_NE, value, 0);

	rules_add(rules, rules->refuse, names, 1, &argument);
}

void rules_add_two(struct rules *rules, uint32_t action, const char *names, unsigned index,
	uint32_t value, uint64_t mask, uint64_t next)
{
	struct scmp_arg_cmp two[] = {
		SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, UINT32_MAX, value),
		SCMP_CMP64(index + 1, SCMP_CMP_MASKED_EQ, mask, next),
	};

	rules_add(rules, action, names, 2, two);
}
