/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/deny_list.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Families are numbers from 1; from LAST_KNOWN on we need none. */
#define FIRST_FAMILY AF_UNIX
#define LAST_KNOWN   AF_NETLINK

/* Of a kernel header that does not go together with the C library's. */
#define IOPRIO_WHO_USER 3

/* For older headers. */
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif
#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

/* What the server starts is a thread; but a sanitizer's look for leaks traces it at the end. */
#ifdef WITH_SANITIZER
#define MAY_START (CLONE_THREAD | CLONE_UNTRACED)
#else
#define MAY_START CLONE_THREAD
#endif

static const uint64_t namespaces[] = {
	CLONE_NEWNS,
	CLONE_NEWCGROUP,
	CLONE_NEWUTS,
	CLONE_NEWIPC,
	CLONE_NEWUSER,
	CLONE_NEWPID,
	CLONE_NEWNET,
};

/* Neither does a name space come with a child, nor by a call whose arguments cannot be seen. */
static void refuse_namespaces(struct rules *rules)
{
	for (unsigned i = 0; i < RULES_COUNT(namespaces); i++) {
		rules_add_masked(rules, rules->refuse, "clone", RULES_CLONE_FLAGS, namespaces[i],
			namespaces[i]);
	}
	/* The C library does with clone() then. */
	rules_add(rules, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
}

/* What a filter does not know it does not let in: families are counted, not named. */
static void refuse_families(struct rules *rules, enum sandbox_role role)
{
	struct scmp_arg_cmp unknown = SCMP_CMP64(0, SCMP_CMP_GT, LAST_KNOWN, 0);
	bool netlink = role == SANDBOX_SERVER;

	for (uint32_t family = FIRST_FAMILY; family <= LAST_KNOWN; family++) {
		if (family != AF_UNIX && !(netlink && family == AF_NETLINK)) {
			rules_add_int(rules, rules->refuse, "socket", 0, family);
		}
	}
	rules_add(rules, rules->refuse, "socket", 1, &unknown);
}

/*
 * The kernel sends a signal to the owner of a descriptor when something arrives there. The number
 * of a process can stand for any other, so nothing but ourselves can be allowed.
 */
static void refuse_owners(struct rules *rules)
{
	static const uint32_t commands[] = { F_SETOWN, F_SETOWN_EX, F_SETSIG };
	static const uint32_t requests[] = { FIOASYNC, FIOSETOWN, SIOCSPGRP };

	for (unsigned i = 0; i < RULES_COUNT(commands); i++) {
		rules_add_int(rules, rules->refuse, RULES_FCNTL, 1, commands[i]);
	}
	rules_add_two(rules, rules->refuse, RULES_FCNTL, 1, F_SETFL, O_ASYNC, O_ASYNC);
	for (unsigned i = 0; i < RULES_COUNT(requests); i++) {
		rules_add_int(rules, rules->refuse, "ioctl", 1, requests[i]);
	}
}

/* A terminal that we were started from: typing into it, and taking it away from others. */
static void refuse_terminals(struct rules *rules)
{
	static const uint32_t requests[] = { TIOCSTI, TIOCLINUX, TIOCSETD, TIOCSCTTY, TIOCSPGRP,
		TIOCCONS };

	for (unsigned i = 0; i < RULES_COUNT(requests); i++) {
		rules_add_int(rules, rules->refuse, "ioctl", 1, requests[i]);
	}
}

/*
 * What works on any process by its number works on the caller alone, number 0. A user's processes
 * (PRIO_USER and its like) are more than that.
 */
static void refuse_others(struct rules *rules)
{
	rules_refuse_other(rules,
		"prlimit64 sched_setaffinity sched_setscheduler sched_setparam "
		"sched_setattr",
		0, 0);
	rules_refuse_other(rules, "setpriority ioprio_set", 1, 0);
	rules_add_int(rules, rules->refuse, "setpriority", 0, PRIO_USER);
	rules_add_int(rules, rules->refuse, "ioprio_set", 0, IOPRIO_WHO_USER);
}

/* The server by its number, its group, and all at once. Landlock knows better, from ABI 6 on. */
static void refuse_signals_to_server(struct rules *rules)
{
	const uint32_t targets[] = { (uint32_t)getpid(), (uint32_t)-getpgrp(), UINT32_MAX };

	for (unsigned i = 0; i < RULES_COUNT(targets); i++) {
		rules_add_int(rules, rules->refuse, "kill rt_sigqueueinfo tgkill rt_tgsigqueueinfo",
			0, targets[i]);
	}
}

static void refuse_sockets(struct rules *rules)
{
	struct scmp_arg_cmp above = SCMP_CMP64(2, SCMP_CMP_GT, NETLINK_SOCK_DIAG, 0);

	rules_add_int(rules, rules->refuse, "socket", 0, AF_UNIX);
	for (uint32_t protocol = NETLINK_ROUTE + 1; protocol < NETLINK_SOCK_DIAG; protocol++) {
		rules_add_int(rules, rules->refuse, "socket", 2, protocol);
	}
	rules_add(rules, rules->refuse, "socket", 1, &above);
}

/* All but those of sockets, and what an HTTP server asks of TCP: to send at once, or not yet. */
static void refuse_protocol_options(struct rules *rules)
{
	struct scmp_arg_cmp above = SCMP_CMP64(1, SCMP_CMP_GT, IPPROTO_TCP, 0);
	struct scmp_arg_cmp above_cork[] = {
		SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, IPPROTO_TCP),
		SCMP_CMP64(2, SCMP_CMP_GT, TCP_CORK, 0),
	};

	/* On machines that number it otherwise TCP's are not told from the rest. */
	if (SOL_SOCKET > IPPROTO_TCP) {
		rules_refuse_other(rules, "setsockopt", 1, SOL_SOCKET);
		return;
	}
	for (uint32_t level = 0; level < IPPROTO_TCP; level++) {
		if (level != SOL_SOCKET) {
			rules_add_int(rules, rules->refuse, "setsockopt", 1, level);
		}
	}
	rules_add(rules, rules->refuse, "setsockopt", 1, &above);
	for (uint32_t option = 0; option < TCP_CORK; option++) {
		if (option != TCP_NODELAY) {
			rules_add_two(rules, rules->refuse, "setsockopt", 1, IPPROTO_TCP,
				UINT32_MAX, option);
		}
	}
	rules_add(rules, rules->refuse, "setsockopt", 2, above_cork);
}

/*
 * With this flag sending connects, and Landlock does not see it. Options of protocols load modules
 * of the kernel, those of sockets programs: one is used at the stop, of the classic kind.
 */
static void refuse_detours(struct rules *rules)
{
	static const uint32_t options[] = { SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF,
		SO_ATTACH_REUSEPORT_EBPF };

	rules_add_masked(
		rules, rules->refuse, "sendto send sendmmsg", 3, MSG_FASTOPEN, MSG_FASTOPEN);
	rules_add_masked(rules, rules->refuse, "sendmsg", 2, MSG_FASTOPEN, MSG_FASTOPEN);
	refuse_protocol_options(rules);
	for (unsigned i = 0; i < RULES_COUNT(options); i++) {
		rules_add_int(rules, rules->refuse, "setsockopt", 2, options[i]);
	}
}

/* A lock on what can be read only keeps those waiting who want to write it. */
static void refuse_locks(struct rules *rules)
{
	static const uint32_t commands[] = RULES_LOCKS;

	for (unsigned i = 0; i < RULES_COUNT(commands); i++) {
		rules_add_int(rules, rules->refuse, RULES_FCNTL, 1, commands[i]);
	}
}

static void refuse_to_server(struct rules *rules)
{
	rules_add_calls(rules, rules->refuse, sandbox_calls_not_served);
	rules_add_masked(rules, rules->refuse, "clone", RULES_CLONE_FLAGS, MAY_START, 0);
	rules_refuse_other(rules, "tgkill", 0, (uint64_t)getpid());
	rules_refuse_other(rules, "prlimit64", 0, 0);
	rules_add_int(rules, rules->refuse, "prctl", 0, PR_SET_SECCOMP);
	refuse_sockets(rules);
	refuse_detours(rules);
	rules_add_masked(rules, rules->refuse, "open", 1, O_TRUNC, O_TRUNC);
	rules_add_masked(rules, rules->refuse, "openat", 2, O_TRUNC, O_TRUNC);
	/* Others may share a descriptor's flags; and others open files, and are held up. */
	rules_add_int(rules, rules->refuse, RULES_FCNTL, 1, F_SETFL);
	rules_add_int(rules, rules->refuse, RULES_FCNTL, 1, F_NOTIFY);
	rules_add_int(rules, rules->refuse, RULES_FCNTL, 1, F_SETLEASE);
	if (!rules->has_procps) {
		refuse_locks(rules);
	}
	if (!rules->has_queues) {
		rules_add_calls(rules, rules->refuse, sandbox_calls_of_queues);
	}
}

void deny_list_make(struct rules *rules, enum sandbox_role role)
{
	rules_add_calls(rules, rules->refuse, sandbox_calls_dangerous);
	refuse_namespaces(rules);
	refuse_families(rules, role);
	refuse_terminals(rules);
	refuse_owners(rules);
	if (role == SANDBOX_SERVER) {
		refuse_to_server(rules);
	}
	if (role == SANDBOX_RUNNER) {
		rules_add_calls(rules, rules->refuse, sandbox_calls_not_for_commands);
		refuse_others(rules);
		refuse_signals_to_server(rules);
	}
}
