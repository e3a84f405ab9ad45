/* SPDX-License-Identifier: MIT */
/*
 * Filters are made with libseccomp before there is any thread, and installed without it, in each
 * process that is forked later.
 *
 * What the server does for each request is decided by the number of the call alone. Such answers
 * the kernel keeps in a bitmap, and does not run the filter at all.
 */
#include "daemon/sandbox/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "daemon/sandbox/allow_list.h"
#include "daemon/sandbox/deny_list.h"
#include "daemon/sandbox/guard.h"
#include "daemon/sandbox/rules.h"

/* Below this, libseccomp cannot make a filter that notifies. */
#define NOTIFY_API 5

#define BINARY_TREE 2

const char *sandbox_seccomp_overlooks(void)
{
	return seccomp_syscall_resolve_name("socketcall") >= 0
		       ? "socketcall() hides from seccomp what sockets are made"
		       : NULL;
}

const char *sandbox_seccomp_lacks_strict(void)
{
#ifdef WITH_SANITIZER
	return "this program is built with a sanitizer, which needs more";
#else
	return sandbox_seccomp_overlooks();
#endif
}

const char *sandbox_seccomp_lacks(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0
		       ? "no seccomp in this kernel"
		       : NULL;
}

/*
 * Read the finished filter back: as one message, which any kernel and container profile lets
 * through. Returns 0 or an errno value.
 */
static int export(scmp_filter_ctx filter, struct sock_fprog *program)
{
	int pair[2];
	ssize_t len = -1;
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		return errno;
	}
	program->filter =
		malloc((BPF_MAXINSNS + GUARD_INSTRUCTIONS) * sizeof(program->filter[0]));
	error = program->filter ? -seccomp_export_bpf(filter, pair[0]) : ENOMEM;
	if (!error) {
		len = recv(pair[1], program->filter, BPF_MAXINSNS * sizeof(program->filter[0]), 0);
		error = len < 0 ? errno : 0;
	}
	if (!error) {
		program->len = (unsigned short)((size_t)len / sizeof(program->filter[0]));
	}
	io_close(&pair[0]);
	io_close(&pair[1]);
	return error;
}

static bool has_queues(const struct settings *settings)
{
	/* What is not served yet may be, after a reload. */
	if (settings->reloads) {
		return true;
	}
	for (unsigned i = 0; i < settings->listen_count; i++) {
		if (settings->listen[i].scheme == ADDRESS_MSGQ) {
			return true;
		}
	}
	return false;
}

int sandbox_seccomp_build(enum sandbox_role role, const struct settings *settings, bool notify,
	struct sock_fprog *program)
{
	bool allow_list = settings->sandbox == SANDBOX_STRICT && role == SANDBOX_SERVER;
	struct rules rules = {
		.has_queues = has_queues(settings),
		.has_procps = settings->source == SETTINGS_PROCPS,
	};

	rules.refuse =
		notify && seccomp_api_get() >= NOTIFY_API ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM);
	rules.filter = seccomp_init(allow_list ? rules.refuse : SCMP_ACT_ALLOW);
	if (!rules.filter) {
		errno = ENOMEM;
		return -1;
	}
	/* Calls of another architecture have other numbers. A thread alone must not die of it. */
	(void)seccomp_attr_set(rules.filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* An older libseccomp cannot do this, and the filter is a little slower. */
	(void)seccomp_attr_set(rules.filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
	if (allow_list) {
		allow_list_make(&rules);
	} else {
		deny_list_make(&rules, role);
	}
	if (!rules.error) {
		rules.error = export(rules.filter, program);
	}
	if (!rules.error && role == SANDBOX_SERVER) {
		sandbox_guard(program, seccomp_arch_native(),
			(uint32_t)seccomp_syscall_resolve_name("ioctl"), rules.refuse);
	}
	seccomp_release(rules.filter);
	errno = rules.error;
	return rules.error ? -1 : 0;
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
