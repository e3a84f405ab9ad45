/* SPDX-License-Identifier: MIT */
/*
 * Loaded into the command by LD_PRELOAD, in front of its main(): see preload.h.
 *
 * Everything that the dynamic loader does has been done then, and nothing that the program itself
 * does. Each run is a child that was forked here and waits for its order; it goes on as if the
 * program had just been executed. This process never does. It is part of no program of ours, and
 * uses nothing but the C library.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/run/preload.h"

/* How a directory of one thread is linked: by itself, by its parent, and by the thread's. */
#define LINKS_OF_ONE_THREAD 3

#define COMM_BYTES 16

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

/* s390 has the stack first. */
#if defined(__s390__)
#define FORK_SIBLING() syscall(SYS_clone, 0ul, (unsigned long)(CLONE_PARENT | SIGCHLD), 0, 0, 0)
#else
#define FORK_SIBLING() syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0ul, 0, 0, 0)
#endif

/*
 * What the C library has told the kernel of this thread, and a child has to tell it anew. NULL:
 * nothing, as before glibc 2.34 where the command is not linked with libpthread.
 */
struct thread_state {
	int *tid;
	void *robust_list;
	size_t robust_len;
};

static struct preload_hello hello = { .version = PRELOAD_VERSION };
static size_t names_len;
static bool names_fit = true;
static char own_name[COMM_BYTES];

static int add_name(struct dl_phdr_info *info, size_t size, void *unused)
{
	const char *name = info->dlpi_name;
	size_t len = strlen(name) + 1;

	(void)size;
	(void)unused;
	/* The program itself has no name, and what the kernel brings no file. */
	if (name[0] != '/') {
		return 0;
	}
	if (names_len + len > sizeof(hello.names)) {
		names_fit = false;
		return 1;
	}
	memcpy(hello.names + names_len, name, len);
	names_len += len;
	return 0;
}

/* Take NAME out of the environment, and its bytes out of what the kernel shows of it. */
static void forget(char **environment, const char *name)
{
	size_t len = strlen(name);
	char **kept = environment;

	for (char **entry = environment; *entry; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=') {
			memset(*entry, 0, strlen(*entry));
		} else {
			*kept++ = *entry;
		}
	}
	*kept = NULL;
}

/* Only one thread lives on in a child. Those that a library has started would be missed. */
static bool has_one_thread(void)
{
	struct stat tasks;

	return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == LINKS_OF_ONE_THREAD;
}

static bool read_thread_state(struct thread_state *state)
{
	return prctl(PR_GET_TID_ADDRESS, &state->tid, 0, 0, 0) == 0 &&
	       syscall(SYS_get_robust_list, 0, &state->robust_list, &state->robust_len) == 0;
}

static bool introduce(void)
{
	size_t len;

	dl_iterate_phdr(add_name, NULL);
	len = offsetof(struct preload_hello, names) + names_len;
	return names_fit && has_one_thread() &&
	       send(PRELOAD_CONTROL_FD, &hello, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Returns the descriptor for the output of the next run, or -1 when there are no more. */
static int next_order(void)
{
	char order;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &order, sizeof(order) };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int out_fd;

	if (recvmsg(PRELOAD_CONTROL_FD, &header, MSG_CMSG_CLOEXEC) != sizeof(order)) {
		return -1;
	}
	c = CMSG_FIRSTHDR(&header);
	if (!c || c->cmsg_type != SCM_RIGHTS) {
		return -1;
	}
	memcpy(&out_fd, CMSG_DATA(c), sizeof(out_fd));
	return out_fd;
}

static void tell(uint64_t number, int64_t pid)
{
	struct preload_ready ready = { .number = number, .pid = pid };

	if (send(PRELOAD_CONTROL_FD, &ready, sizeof(ready), MSG_NOSIGNAL) < 0) {
		_exit(0);
	}
}

/* What came while this process waited was not for the command. */
static void forget_signals(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0) {
		return;
	}
	for (int number = 1; number < NSIG; number++) {
		if (sigismember(&pending, number) == 1) {
			struct sigaction before;
			const struct sigaction ignore = { .sa_handler = SIG_IGN };

			sigaction(number, &ignore, &before);
			sigaction(number, &before, NULL);
		}
	}
}

/* In the child: become what a run is, wait for the order, and go on as what was executed. */
static void wait_for_order(uint64_t number, int out_fd, const struct thread_state *state)
{
	struct preload_go go = { .number = 0 };
	sigset_t none;

	if (state->tid) {
		*state->tid = (int)syscall(SYS_set_tid_address, state->tid);
	}
	if (state->robust_list) {
		syscall(SYS_set_robust_list, state->robust_list, state->robust_len);
	}
	setpgid(0, 0);
	dup2(out_fd, STDOUT_FILENO);
	close(out_fd);
	tell(number, getpid());
	close(PRELOAD_CONTROL_FD);
	/* One that was meant for a child that has died is passed over. */
	while (go.number != number) {
		if (recv(PRELOAD_DOOR_FD, &go, sizeof(go), 0) != sizeof(go)) {
			_exit(0);
		}
	}
	close(PRELOAD_DOOR_FD);
	prctl(PR_SET_NAME, own_name);
	prctl(PR_SET_DUMPABLE, 1);
	forget_signals();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Before LD_PRELOAD goes: by one of them an observer can always tell this process from a run. */
static void take_name(void)
{
	prctl(PR_GET_NAME, own_name);
	prctl(PR_SET_NAME, "ruptimed-warm");
}

/* Returns in each child, once it is to run. */
static void serve(void)
{
	struct thread_state state;
	uint64_t number = 0;
	int out_fd;

	if (!read_thread_state(&state) || !introduce()) {
		_exit(0);
	}
	/* A command shall not get at the memory that the next ones are forked from. */
	prctl(PR_SET_DUMPABLE, 0);
	while ((out_fd = next_order()) >= 0) {
		long pid;

		number++;
		pid = FORK_SIBLING();

		if (pid == 0) {
			wait_for_order(number, out_fd, &state);
			return;
		}
		if (pid < 0) {
			tell(number, -errno);
		}
		close(out_fd);
	}
	_exit(0);
}

/* Has the runner executed this program? */
static bool is_ours(void)
{
	struct stat door;

	return fstat(PRELOAD_DOOR_FD, &door) == 0 && S_ISSOCK(door.st_mode);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* In the place of the C library's, which the program's first instructions call. */
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	__typeof__(&__libc_start_main) real;
	bool warm;

	*(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
	warm = real && is_ours();
	if (warm) {
		take_name();
	}
	forget(argv + argc + 1, "LD_BIND_NOW");
	forget(argv + argc + 1, "LD_PRELOAD");
	if (warm) {
		serve();
	}
	return real ? real(main, argc, argv, init, fini, rtld_fini, stack_end) : 127;
}
