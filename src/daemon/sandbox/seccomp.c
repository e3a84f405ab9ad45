/* SPDX-License-Identifier: MIT */
/*
 * Filters are made with libseccomp before there is any thread, and installed without it: a runner
 * is forked by a process with threads, where nothing may be allocated.
 *
 * What the server does for each request is decided by the number of the call alone. Such answers
 * the kernel keeps in a bitmap, and does not run the filter at all.
 */
#include "daemon/sandbox/seccomp.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/sandbox/calls.h"

/* Below this, libseccomp cannot make a filter that notifies. */
#define NOTIFY_API 5

#define BINARY_TREE 2

/* Families are numbers from 1; from LAST_KNOWN on we need none. */
#define FIRST_FAMILY AF_UNIX
#define LAST_KNOWN   AF_NETLINK
#define TYPE_MASK    0xf

/* s390 and its like have these two the other way round. */
#if defined(__s390__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Give a terminal input as if it were typed. For older headers. */
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

static const uint64_t namespaces[] = {
	CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
	CLONE_NEWNET,
};
#define ALL_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* A filter in the making. Rules are added until one fails: then ERROR is set, and they are not. */
struct making {
	scmp_filter_ctx filter;
	uint32_t refuse;
	int error;
};

const char *sandbox_seccomp_lacks_strict(void)
{
#ifdef WITH_SANITIZER
	return "this program is built with a sanitizer, which needs more";
#else
	return NULL;
#endif
}

const char *sandbox_seccomp_lacks(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0
		       ? "no seccomp in this kernel"
		       : NULL;
}

static void add(struct making *making, uint32_t action, const char *name, unsigned count,
	const struct scmp_arg_cmp *arguments)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Those of other architectures libseccomp knows, and leaves out. */
	if (!making->error && number != __NR_SCMP_ERROR) {
		making->error =
			-seccomp_rule_add_array(making->filter, action, number, count, arguments);
	}
}

static void add_all(struct making *making, uint32_t action, const char *const *names)
{
	for (; *names; names++) {
		add(making, action, *names, 0, NULL);
	}
}

/* ACTION on calls to NAME whose argument INDEX, as far as MASK, is VALUE. */
static void add_masked(struct making *making, uint32_t action, const char *name, unsigned index,
	uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp argument = SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, mask, value);

	add(making, action, name, 1, &argument);
}

/* The kernel looks at 32 bits of an int, whatever the other 32 are. */
static void add_int(struct making *making, uint32_t action, const char *name, unsigned index,
	uint32_t value)
{
	add_masked(making, action, name, index, UINT32_MAX, value);
}

/* Neither does a name space come with a child, nor by a call whose arguments cannot be seen. */
static void refuse_namespaces(struct making *making)
{
	for (unsigned i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		add_masked(making, making->refuse, "clone", CLONE_FLAGS, namespaces[i],
			namespaces[i]);
	}
	/* The C library does with clone() then. */
	add(making, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
}

static void refuse_raw(struct making *making, uint32_t family)
{
	struct scmp_arg_cmp raw[] = {
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, family),
		SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_RAW),
	};

	add(making, making->refuse, "socket", 2, raw);
}

/* What a filter does not know it does not let in: families are counted, not named. */
static void refuse_families(struct making *making, enum sandbox_role role)
{
	struct scmp_arg_cmp unknown = SCMP_CMP64(0, SCMP_CMP_GT, LAST_KNOWN, 0);
	bool inet = role == SANDBOX_MAIN;
	bool netlink = role != SANDBOX_RUNNER;

	for (uint32_t family = FIRST_FAMILY; family <= LAST_KNOWN; family++) {
		bool allowed = family == AF_UNIX || (netlink && family == AF_NETLINK) ||
			       (inet && (family == AF_INET || family == AF_INET6));

		if (!allowed) {
			add_int(making, making->refuse, "socket", 0, family);
		}
	}
	add(making, making->refuse, "socket", 1, &unknown);
	if (inet) {
		refuse_raw(making, AF_INET);
		refuse_raw(making, AF_INET6);
	}
}

static void make_deny_list(struct making *making, enum sandbox_role role)
{
	add_all(making, making->refuse, sandbox_calls_dangerous);
	refuse_namespaces(making);
	refuse_families(making, role);
	add_int(making, making->refuse, "ioctl", 1, TIOCSTI);
	add_int(making, making->refuse, "ioctl", 1, TIOCLINUX);
	if (role == SANDBOX_SERVER) {
		add_all(making, making->refuse, sandbox_calls_not_served);
		add_masked(making, making->refuse, "clone", CLONE_FLAGS, CLONE_THREAD, 0);
	}
}

/* Memory is either written or executed. */
static void allow_memory(struct making *making)
{
	const uint64_t both = PROT_WRITE | PROT_EXEC;
	static const char *const names[] = { "mmap", "mmap2" };

	for (unsigned i = 0; i < 2; i++) {
		add_masked(making, SCMP_ACT_ALLOW, names[i], 2, both, 0);
		add_masked(making, SCMP_ACT_ALLOW, names[i], 2, both, PROT_WRITE);
		add_masked(making, SCMP_ACT_ALLOW, names[i], 2, both, PROT_EXEC);
	}
	add_masked(making, SCMP_ACT_ALLOW, "mprotect", 2, PROT_EXEC, 0);
}

static void allow_netlink(struct making *making, uint32_t protocol)
{
	struct scmp_arg_cmp netlink[] = {
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK),
		SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, protocol),
	};

	add(making, SCMP_ACT_ALLOW, "socket", 2, netlink);
}

static void make_allow_list(struct making *making)
{
	add_all(making, SCMP_ACT_ALLOW, sandbox_calls_needed);
	allow_memory(making);
	add_masked(making, SCMP_ACT_ALLOW, "clone", CLONE_FLAGS, CLONE_THREAD | ALL_NAMESPACES,
		CLONE_THREAD);
	add(making, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	/* syslog(), which networks we are on, and at the end whether handshakes are under way */
	add_int(making, SCMP_ACT_ALLOW, "socket", 0, AF_UNIX);
	allow_netlink(making, NETLINK_ROUTE);
	allow_netlink(making, NETLINK_SOCK_DIAG);
	add_int(making, SCMP_ACT_ALLOW, "prctl", 0, PR_SET_NAME);
	add_int(making, SCMP_ACT_ALLOW, "prctl", 0, PR_SET_TIMERSLACK);
	/* the C library gives memory names */
	add_int(making, SCMP_ACT_ALLOW, "prctl", 0, 0x53564d41 /* PR_SET_VMA */);
	add_int(making, SCMP_ACT_ALLOW, "prlimit64", 0, 0);
	/* is it a terminal? */
	add_int(making, SCMP_ACT_ALLOW, "ioctl", 1, TCGETS);
	add_int(making, SCMP_ACT_ALLOW, "ioctl", 1, SECCOMP_IOCTL_NOTIF_RECV);
	add_int(making, SCMP_ACT_ALLOW, "ioctl", 1, SECCOMP_IOCTL_NOTIF_SEND);
}

/* Read the finished filter back. Returns 0 or an errno value. */
static int export(scmp_filter_ctx filter, struct sock_fprog *program)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int error = 0;

	if (fd < 0 || seccomp_export_bpf(filter, fd) < 0 || fstat(fd, &st) < 0) {
		error = errno ? errno : EINVAL;
		goto out;
	}
	program->filter = malloc((size_t)st.st_size);
	if (!program->filter || pread(fd, program->filter, (size_t)st.st_size, 0) != st.st_size) {
		error = ENOMEM;
		goto out;
	}
	program->len = (unsigned short)((size_t)st.st_size / sizeof(program->filter[0]));
out:
	io_close(&fd);
	return error;
}

int sandbox_seccomp_build(enum sandbox_role role, enum sandbox_level level, bool notify,
	struct sock_fprog *program)
{
	bool allow_list = level == SANDBOX_STRICT && role == SANDBOX_SERVER;
	struct making making = { .error = 0 };

	making.refuse = notify && seccomp_api_get() >= NOTIFY_API ? SCMP_ACT_NOTIFY
								  : SCMP_ACT_ERRNO(EPERM);
	making.filter = seccomp_init(allow_list ? making.refuse : SCMP_ACT_ALLOW);
	if (!making.filter) {
		errno = ENOMEM;
		return -1;
	}
	/* Calls of another architecture have other numbers. A thread alone must not die of it. */
	(void)seccomp_attr_set(making.filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* An older libseccomp cannot do this, and the filter is a little slower. */
	(void)seccomp_attr_set(making.filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
	if (allow_list) {
		make_allow_list(&making);
	} else {
		make_deny_list(&making, role);
	}
	if (!making.error) {
		making.error = export(making.filter, program);
	}
	seccomp_release(making.filter);
	errno = making.error;
	return making.error ? -1 : 0;
}

void sandbox_seccomp_name(uint32_t audit_arch, int number, char *name, size_t size)
{
	/* Its numbers of architectures are those of audit but for x32, which no filter lets in. */
	char *known = seccomp_syscall_resolve_num_arch(audit_arch, number);

	if (known) {
		snprintf(name, size, "%s", known);
	} else {
		snprintf(name, size, "system call %d", number);
	}
	free(known);
}
