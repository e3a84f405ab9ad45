/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/calls.h"

#include <stddef.h>

/* A sanitizer traces its own process at the end, to look for leaks. */
#ifdef WITH_SANITIZER
#define TRACE ""
#else
#define TRACE "ptrace "
#endif

const struct sandbox_calls sandbox_calls_dangerous[] = {
	{ "memory and descriptors of other processes",
		TRACE "process_vm_readv process_vm_writev process_madvise process_mrelease kcmp "
		"pidfd_getfd migrate_pages move_pages" },
	{ "the shape of the file system",
		"mount umount umount2 pivot_root chroot open_tree open_tree_attr move_mount "
		"fsopen fsconfig fsmount fspick mount_setattr quotactl quotactl_fd swapon "
		"swapoff acct nfsservctl" },
	{ "files by handle, past the modes of their directories",
		"name_to_handle_at open_by_handle_at" },
	{ "the names of all files that others open",
		"fanotify_init lookup_dcookie" },
	{ "name spaces, which make more of the kernel reachable",
		"unshare setns" },
	{ "code in the kernel",
		"init_module finit_module delete_module create_module kexec_load "
		"kexec_file_load bpf" },
	{ "interfaces with a history of holes",
		"perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
		"uselib modify_ldt vm86 vm86old" },
	{ "keys of the user and of the kernel",
		"keyctl add_key request_key" },
	{ "the machine, its clock, its name and its log",
		"reboot settimeofday clock_settime clock_settime64 adjtimex clock_adjtime "
		"clock_adjtime64 stime iopl ioperm syslog sethostname setdomainname vhangup "
		"pciconfig_read pciconfig_write pciconfig_iobase" },
	{ NULL, NULL },
};

const struct sandbox_calls sandbox_calls_not_for_commands[] = {
	{ "the server's message queues, and what else users share by key",
		"msgget msgrcv msgsnd msgctl semget semop semtimedop semtimedop_time64 semctl "
		"shmget shmat shmctl ipc" },
	{ "signals to a thread of any process, of which no filter can say whose it is",
		"tkill" },
	{ NULL, NULL },
};

const struct sandbox_calls sandbox_calls_not_served[] = {
	{ "programs and processes",
		"execve execveat fork vfork" },
	{ "identities, which the lack of capabilities forbids as well",
		"setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 "
		"setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid "
		"setfsgid32 setgroups setgroups32 capset setsid setpgid" },
	{ "what Landlock lets through: modes, owners, times and attributes of files",
		"chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 "
		"fchownat utime utimes utimensat utimensat_time64 futimesat setxattr lsetxattr "
		"fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat "
		"file_setattr" },
	{ "what Landlock lets through before version 3; open() is judged by its arguments",
		"truncate truncate64 creat openat2" },
	{ "the directory that names begin in, and what names are hidden by",
		"chdir fchdir umask" },
	{ "signals to other processes; tgkill() is judged by its arguments",
		"kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal" },
	{ "CPUs, priorities and memory of other processes",
		"setpriority ioprio_set sched_setattr sched_setparam sched_setscheduler "
		"sched_setaffinity personality" },
	{ "what users share by key or name, other than message queues of System V",
		"shmget shmat shmctl semget semop semtimedop semtimedop_time64 semctl mq_open "
		"mq_unlink" },
	{ "new ways to and from other processes; socket() is judged by its arguments",
		"connect socketpair listen" },
	{ "memory that not even the kernel can look at",
		"memfd_secret" },
	{ "asynchronous input and output, beside which filters and limits are weak",
		"io_setup io_submit" },
	{ "watching the files of others",
		"inotify_init inotify_init1 inotify_add_watch" },
	{ "locks that keep others waiting; fcntl() is judged by its arguments",
		"flock" },
	{ "files without a name, to map and to execute from",
		"memfd_create" },
	{ "another sandbox within this one, which would be asked first",
		"landlock_create_ruleset seccomp" },
	{ NULL, NULL },
};

const struct sandbox_calls sandbox_calls_needed[] = {
	{ "threads: to start, to end, to wait for each other, to know oneself",
		"exit exit_group futex futex_time64 getpid gettid membarrier restart_syscall "
		"rseq sched_getaffinity sched_yield set_robust_list getcpu" },
	{ "memory of the C library; mmap() and mprotect() are judged by their arguments",
		"brk madvise mremap munmap" },
	{ "signals to oneself, as glibc's abort() and timers use them",
		"rt_sigaction rt_sigprocmask rt_sigreturn sigreturn" },
	{ "time, where the vDSO has none",
		"clock_getres clock_getres_time64 clock_gettime clock_gettime64 gettimeofday "
		"time" },
	{ "waiting for time to pass, as libraries do",
		"clock_nanosleep clock_nanosleep_time64 nanosleep" },
	{ "a write to a passed descriptor is interrupted by a timer",
		"timer_create timer_delete timer_settime timer_settime64" },
	{ "clients: to accept them, to know them, to hear and to answer them",
		"accept accept4 getpeername getsockname getsockopt recv recvfrom recvmmsg "
		"recvmmsg_time64 recvmsg shutdown" },
	{ "getifaddrs() names its netlink socket; Landlock refuses TCP and UNIX sockets",
		"bind" },
	{ "waiting for clients, for the runner, for room in a log",
		"_newselect epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
		"eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select" },
	{ "children that are not ours: orphans of a container, jobs of a shell before exec",
		"wait4 waitid waitpid" },
	{ "answers and log lines",
		"write writev pwritev2 splice pipe2" },
	{ "files to read, of which Landlock says which: /proc, libraries, time zone, users",
		"_llseek access faccessat faccessat2 fstat fstat64 fstatat64 fstatfs fstatfs64 "
		"getdents getdents64 lseek lstat lstat64 newfstatat pread64 read readlink "
		"readlinkat readv stat stat64 statfs statfs64 statx" },
	{ "what guard.c leaves of it",
		"ioctl" },
	{ "descriptors; fcntl() is judged by its arguments",
		"close close_range dup dup2 dup3" },
	{ "the names of sockets and of the pid file go when the server stops; or it is emptied",
		"unlink unlinkat ftruncate ftruncate64" },
	{ "the host: load, uptime, random numbers; limits and users of this process",
		"getrandom sysinfo uname riscv_hwprobe getegid getegid32 geteuid geteuid32 "
		"getgid getgid32 "
		"getuid getuid32 getrlimit ugetrlimit getrusage" },
	{ NULL, NULL },
};

const struct sandbox_calls sandbox_calls_of_procps[] = {
	{ "glibc waits with an alarm for a lock on the file of users",
		"alarm setitimer" },
	{ NULL, NULL },
};

const struct sandbox_calls sandbox_calls_of_queues[] = {
	{ "requests and answers by XSI message queue",
		"ipc msgctl msgget msgrcv msgsnd" },
	{ NULL, NULL },
};
