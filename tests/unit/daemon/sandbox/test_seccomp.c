/* SPDX-License-Identifier: MIT */
/* System calls that no process or thread of ours has any business to make. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"
#include "daemon/sandbox/filter.h"
#include "daemon/sandbox/seccomp.h"
#include "unit/jail.h"

static int probe_execve(void)
{
	static char name[] = "true";
	char *argv[] = { name, NULL };

	return execve("/bin/true", argv, NULL);
}

static int probe_spawn(void)
{
	static char name[] = "true";
	char *argv[] = { name, NULL };
	pid_t pid;

	errno = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL);
	return errno ? -1 : 0;
}

static int probe_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		_exit(0);
	}
	return pid < 0 ? -1 : 0;
}

static int probe_setuid(void)
{
	return (int)syscall(SYS_setuid, 0);
}

static int probe_kill(void)
{
	return kill(getppid(), 0);
}

static int probe_chmod(void)
{
	return (int)syscall(SYS_fchmodat, AT_FDCWD, jail_file, 0777);
}

static int probe_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int probe_disguised_inet(void)
{
	return (int)syscall(SYS_socket, (unsigned long)((1ull << 32) + AF_INET6), SOCK_DGRAM, 0);
}

static int probe_raw(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static int probe_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int probe_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int probe_terminal(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int probe_new_users(void)
{
	return (int)syscall(SYS_clone, (unsigned long)CLONE_NEWUSER | CLONE_THREAD, NULL, NULL,
		NULL, NULL);
}

static int probe_writable_code(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? -1 : 0;
}

static int probe_written_code(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? 0 : mprotect(map, 4096, PROT_READ | PROT_EXEC);
}

/* Calls whose arguments make no sense, so that they do nothing where they are not refused. */
#define SENSELESS(name)                                                                            \
	static int probe_##name(void)                                                              \
	{                                                                                          \
		return (int)syscall(SYS_##name, -1, -1, -1, -1, -1, -1);                           \
	}

#ifndef WITH_SANITIZER
SENSELESS(ptrace)
#endif
SENSELESS(process_vm_readv)
SENSELESS(process_vm_writev)
SENSELESS(pidfd_getfd)
SENSELESS(mount)
SENSELESS(umount2)
SENSELESS(pivot_root)
SENSELESS(chroot)
SENSELESS(open_tree)
SENSELESS(fsopen)
SENSELESS(open_by_handle_at)
SENSELESS(unshare)
SENSELESS(setns)
SENSELESS(init_module)
SENSELESS(finit_module)
SENSELESS(delete_module)
SENSELESS(kexec_load)
SENSELESS(bpf)
SENSELESS(perf_event_open)
SENSELESS(userfaultfd)
SENSELESS(io_uring_setup)
SENSELESS(keyctl)
SENSELESS(add_key)
SENSELESS(request_key)
SENSELESS(reboot)
SENSELESS(swapon)
SENSELESS(settimeofday)
SENSELESS(clock_settime)
SENSELESS(adjtimex)
SENSELESS(syslog)
SENSELESS(sethostname)
SENSELESS(acct)
SENSELESS(execveat)
SENSELESS(capset)
SENSELESS(shmget)
SENSELESS(memfd_create)
SENSELESS(listen)

static const struct jail_probe refused[] = {
#ifndef WITH_SANITIZER
	{ "ptrace", probe_ptrace, JAIL_ALL, SANDBOX_BASIC },
#endif
	{ "process_vm_readv", probe_process_vm_readv, JAIL_ALL, SANDBOX_BASIC },
	{ "process_vm_writev", probe_process_vm_writev, JAIL_ALL, SANDBOX_BASIC },
	{ "pidfd_getfd", probe_pidfd_getfd, JAIL_ALL, SANDBOX_BASIC },
	{ "mount", probe_mount, JAIL_ALL, SANDBOX_BASIC },
	{ "umount2", probe_umount2, JAIL_ALL, SANDBOX_BASIC },
	{ "pivot_root", probe_pivot_root, JAIL_ALL, SANDBOX_BASIC },
	{ "chroot", probe_chroot, JAIL_ALL, SANDBOX_BASIC },
	{ "open_tree", probe_open_tree, JAIL_ALL, SANDBOX_BASIC },
	{ "fsopen", probe_fsopen, JAIL_ALL, SANDBOX_BASIC },
	{ "open_by_handle_at", probe_open_by_handle_at, JAIL_ALL, SANDBOX_BASIC },
	{ "unshare", probe_unshare, JAIL_ALL, SANDBOX_BASIC },
	{ "setns", probe_setns, JAIL_ALL, SANDBOX_BASIC },
	{ "clone", probe_new_users, JAIL_ALL, SANDBOX_BASIC },
	{ "init_module", probe_init_module, JAIL_ALL, SANDBOX_BASIC },
	{ "finit_module", probe_finit_module, JAIL_ALL, SANDBOX_BASIC },
	{ "delete_module", probe_delete_module, JAIL_ALL, SANDBOX_BASIC },
	{ "kexec_load", probe_kexec_load, JAIL_ALL, SANDBOX_BASIC },
	{ "bpf", probe_bpf, JAIL_ALL, SANDBOX_BASIC },
	{ "perf_event_open", probe_perf_event_open, JAIL_ALL, SANDBOX_BASIC },
	{ "userfaultfd", probe_userfaultfd, JAIL_ALL, SANDBOX_BASIC },
	{ "io_uring_setup", probe_io_uring_setup, JAIL_ALL, SANDBOX_BASIC },
	{ "keyctl", probe_keyctl, JAIL_ALL, SANDBOX_BASIC },
	{ "add_key", probe_add_key, JAIL_ALL, SANDBOX_BASIC },
	{ "request_key", probe_request_key, JAIL_ALL, SANDBOX_BASIC },
	{ "reboot", probe_reboot, JAIL_ALL, SANDBOX_BASIC },
	{ "swapon", probe_swapon, JAIL_ALL, SANDBOX_BASIC },
	{ "settimeofday", probe_settimeofday, JAIL_ALL, SANDBOX_BASIC },
	{ "clock_settime", probe_clock_settime, JAIL_ALL, SANDBOX_BASIC },
	{ "adjtimex", probe_adjtimex, JAIL_ALL, SANDBOX_BASIC },
	{ "syslog", probe_syslog, JAIL_ALL, SANDBOX_BASIC },
	{ "sethostname", probe_sethostname, JAIL_ALL, SANDBOX_BASIC },
	{ "acct", probe_acct, JAIL_ALL, SANDBOX_BASIC },
	{ "ioctl", probe_terminal, JAIL_ALL, SANDBOX_BASIC },
	{ "execve", probe_execve, JAIL_SERVER, SANDBOX_BASIC },
	{ "execveat", probe_execveat, JAIL_SERVER, SANDBOX_BASIC },
	{ "clone", probe_fork, JAIL_SERVER, SANDBOX_BASIC },
	{ "clone", probe_spawn, JAIL_SERVER, SANDBOX_BASIC },
	{ "setuid", probe_setuid, JAIL_SERVER, SANDBOX_BASIC },
	{ "capset", probe_capset, JAIL_SERVER, SANDBOX_BASIC },
	{ "kill", probe_kill, JAIL_SERVER, SANDBOX_BASIC },
	{ "fchmodat", probe_chmod, JAIL_SERVER, SANDBOX_BASIC },
	{ "shmget", probe_shmget, JAIL_SERVER, SANDBOX_BASIC },
	{ "memfd_create", probe_memfd_create, JAIL_SERVER, SANDBOX_STRICT },
	{ "listen", probe_listen, JAIL_SERVER, SANDBOX_STRICT },
	{ "mmap", probe_writable_code, JAIL_SERVER, SANDBOX_STRICT },
	{ "mprotect", probe_written_code, JAIL_SERVER, SANDBOX_STRICT },
};

/* By their arguments, which not every architecture shows. */
static const struct jail_probe refused_sockets[] = {
	{ "socket", probe_inet, JAIL_ALL, SANDBOX_BASIC },
	{ "socket", probe_disguised_inet, JAIL_ALL, SANDBOX_BASIC },
	{ "socket", probe_raw, JAIL_ALL, SANDBOX_BASIC },
	{ "socket", probe_packet, JAIL_ALL, SANDBOX_BASIC },
	{ "socket", probe_vsock, JAIL_ALL, SANDBOX_BASIC },
};

/* Each is refused with EPERM, and named: so it was made, and it was the filter that refused it. */
static void expect_named(const struct jail_probe *probe, enum sandbox_role role,
	enum sandbox_level level)
{
	struct jail_outcome outcome = jail_try(probe, role, level);
	char named[64];

	snprintf(named, sizeof(named), "the sandbox refused %s() to ", probe->call);
	ck_assert_msg(outcome.error == EPERM, "%s() of role %d at level %d: %d", probe->call, role,
		level, outcome.error);
	ck_assert_msg(strstr(outcome.log, named), "%s: '%s'", probe->call, outcome.log);
}

/* The same call by the number of another architecture, where the machine has one. */
static int probe_foreign(void)
{
#ifdef __x86_64__
	const long x32 = 0x40000000;

	return (int)syscall(x32 + SYS_getpid);
#else
	return 0;
#endif
}

START_TEST(test_foreign_calls)
{
	const struct jail_probe probe = { NULL, probe_foreign, JAIL_ALL, SANDBOX_BASIC };

	if (sandbox_seccomp_lacks() || jail_try(&probe, SANDBOX_KEEPER, SANDBOX_OFF).error == 0) {
		return;
	}
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		ck_assert_int_eq(jail_try(&probe, (enum sandbox_role)role, SANDBOX_BASIC).error,
			JAIL_GONE);
	}
}
END_TEST

START_TEST(test_calls)
{
	if (!sandbox_seccomp_lacks() && sandbox_filter_can_notify()) {
		jail_try_all(refused, sizeof(refused) / sizeof(refused[0]), expect_named);
	}
}
END_TEST

START_TEST(test_sockets)
{
	if (!sandbox_seccomp_lacks() && sandbox_filter_can_notify() &&
		!sandbox_seccomp_overlooks()) {
		jail_try_all(refused_sockets,
			sizeof(refused_sockets) / sizeof(refused_sockets[0]), expect_named);
	}
}
END_TEST

static int probe_unix(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int probe_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

/* What each of them needs it has, also where a filter cannot tell one socket from another. */
START_TEST(test_own_sockets)
{
	static const struct jail_probe needed[SANDBOX_ROLES] = {
		[SANDBOX_KEEPER] = { NULL, probe_unix, 0, SANDBOX_BASIC },
		[SANDBOX_RUNNER] = { NULL, probe_unix, 0, SANDBOX_BASIC },
		[SANDBOX_SERVER] = { NULL, probe_netlink, 0, SANDBOX_BASIC },
	};

	for (int role = 0; role < SANDBOX_ROLES; role++) {
		ck_assert_int_eq(
			jail_try(&needed[role], (enum sandbox_role)role, SANDBOX_BASIC).error, 0);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("seccomp");
	TCase *tcase = tcase_create("sandbox_seccomp");

	tcase_add_unchecked_fixture(tcase, jail_init, jail_fini);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_calls);
	tcase_add_test(tcase, test_sockets);
	tcase_add_test(tcase, test_own_sockets);
	tcase_add_test(tcase, test_foreign_calls);
	suite_add_tcase(suite, tcase);
	return suite;
}
