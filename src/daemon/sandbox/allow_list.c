/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/allow_list.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* For older headers. */
#define PR_SET_VMA_ANYWHERE 0x53564d41

/* Memory is either written or executed. */
static void allow_memory(struct rules *rules)
{
	const uint64_t both = PROT_WRITE | PROT_EXEC;
	const uint64_t fine[] = { 0, PROT_WRITE, PROT_EXEC };

	for (unsigned i = 0; i < RULES_COUNT(fine); i++) {
		rules_add_masked(rules, SCMP_ACT_ALLOW, "mmap mmap2", 2, both, fine[i]);
	}
	rules_add_masked(rules, SCMP_ACT_ALLOW, "mprotect", 2, PROT_EXEC, 0);
}

static void allow_netlink(struct rules *rules, uint32_t protocol)
{
	struct scmp_arg_cmp netlink[] = {
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK),
		SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, protocol),
	};

	rules_add(rules, SCMP_ACT_ALLOW, "socket", 2, netlink);
}

static void allow_sockets(struct rules *rules)
{
	/* which networks we are on, and at the end whether handshakes are under way */
	allow_netlink(rules, NETLINK_ROUTE);
	allow_netlink(rules, NETLINK_SOCK_DIAG);
	rules_add_masked(rules, SCMP_ACT_ALLOW, "sendto send sendmmsg", 3, MSG_FASTOPEN, 0);
	rules_add_masked(rules, SCMP_ACT_ALLOW, "sendmsg", 2, MSG_FASTOPEN, 0);
}

static void allow_options(struct rules *rules)
{
	/* no reset at the end; nothing more is let in; buffers; no descriptors */
	static const uint32_t options[] = { SO_LINGER, SO_BINDTOIFINDEX, SO_ATTACH_FILTER,
		SO_RCVBUF, SO_SNDBUF };

	for (unsigned i = 0; i < RULES_COUNT(options); i++) {
		rules_add_two(
			rules, SCMP_ACT_ALLOW, "setsockopt", 1, SOL_SOCKET, UINT32_MAX, options[i]);
	}
	/* the metrics: an answer is sent at once */
	rules_add_two(rules, SCMP_ACT_ALLOW, "setsockopt", 1, IPPROTO_TCP, UINT32_MAX, TCP_NODELAY);
	rules_add_two(rules, SCMP_ACT_ALLOW, "setsockopt", 1, IPPROTO_TCP, UINT32_MAX, TCP_CORK);
}

static void allow_descriptors(struct rules *rules)
{
	/* the C library's own; whether a passed one is to be written to */
	static const uint32_t commands[] = { F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC };

	/* Landlock says which files; but before version 3 not that they are not to be truncated. */
	rules_add_masked(rules, SCMP_ACT_ALLOW, "open", 1, O_TRUNC, 0);
	rules_add_masked(rules, SCMP_ACT_ALLOW, "openat", 2, O_TRUNC, 0);
	for (unsigned i = 0; i < RULES_COUNT(commands); i++) {
		rules_add_int(rules, SCMP_ACT_ALLOW, RULES_FCNTL, 1, commands[i]);
	}
}

/* The file of users is locked while it is read. */
static void allow_procps(struct rules *rules)
{
	static const uint32_t locks[] = RULES_LOCKS;

	rules_add_calls(rules, SCMP_ACT_ALLOW, sandbox_calls_of_procps);
	for (unsigned i = 0; i < RULES_COUNT(locks); i++) {
		rules_add_int(rules, SCMP_ACT_ALLOW, RULES_FCNTL, 1, locks[i]);
	}
}

static void allow_self(struct rules *rules)
{
	/* names of threads; of memory, which the C library gives; a thread that sleeps briefly */
	static const uint32_t options[] = { PR_SET_NAME, PR_SET_VMA_ANYWHERE, PR_SET_TIMERSLACK };
	struct scmp_arg_cmp ourselves = SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)getpid(), 0);

	for (unsigned i = 0; i < RULES_COUNT(options); i++) {
		rules_add_int(rules, SCMP_ACT_ALLOW, "prctl", 0, options[i]);
	}
	rules_add_int(rules, SCMP_ACT_ALLOW, "prlimit64", 0, 0);
	rules_add(rules, SCMP_ACT_ALLOW, "tgkill", 1, &ourselves);
}

void allow_list_make(struct rules *rules)
{
	rules_add_calls(rules, SCMP_ACT_ALLOW, sandbox_calls_needed);
	if (rules->has_queues) {
		rules_add_calls(rules, SCMP_ACT_ALLOW, sandbox_calls_of_queues);
	}
	if (rules->has_procps) {
		allow_procps(rules);
	}
	allow_memory(rules);
	/* A thread, in our own name spaces. */
	rules_add_masked(rules, SCMP_ACT_ALLOW, "clone", RULES_CLONE_FLAGS,
		CLONE_THREAD | RULES_NAMESPACES, CLONE_THREAD);
	rules_add(rules, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	allow_sockets(rules);
	allow_options(rules);
	allow_descriptors(rules);
	allow_self(rules);
}
