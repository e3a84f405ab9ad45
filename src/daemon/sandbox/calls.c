/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/calls.h"

#include <stddef.h>

const char *const sandbox_calls_dangerous[] = {
	/* other processes' insides; but a sanitizer traces its own at the end, to look for leaks */
#ifndef WITH_SANITIZER
	"ptrace",
#endif
	"process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
	"pidfd_getfd",
	/* the file system's shape, files without names */
	"mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr",
	"move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"name_to_handle_at", "open_by_handle_at", "quotactl", "quotactl_fd", "fanotify_init",
	"swapon", "swapoff", "acct", "nfsservctl",
	/* namespaces; clone() is looked at apart */
	"unshare", "setns",
	/* code in the kernel, and interfaces with a history of holes */
	"init_module", "finit_module", "delete_module", "create_module", "kexec_load",
	"kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
	"lookup_dcookie", "uselib", "modify_ldt", "vm86", "vm86old",
	/* the machine */
	"reboot", "settimeofday", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime",
	"clock_adjtime64", "stime", "iopl", "ioperm", "syslog", "sethostname", "setdomainname",
	"vhangup", "migrate_pages", "move_pages", "pciconfig_read", "pciconfig_write",
	"pciconfig_iobase",
	NULL,
};

const char *const sandbox_calls_not_served[] = {
	/* programs; clone() is looked at apart */
	"execve", "execveat", "fork", "vfork",
	/* identities, which the capabilities forbid as well */
	"setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid",
	"setregid32", "setresuid", "setresuid32", "setresgid", "setresgid32", "setfsuid",
	"setfsuid32", "setfsgid", "setfsgid32", "setgroups", "setgroups32", "capset", "setsid",
	"setpgid",
	/* what Landlock does not look at */
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "chown32", "fchown", "fchown32",
	"lchown", "lchown32", "fchownat", "utime", "utimes", "utimensat", "utimensat_time64",
	"futimesat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr",
	"lremovexattr", "fremovexattr", "removexattrat", "chdir", "fchdir", "umask",
	/* others of the machine */
	"kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setpriority", "ioprio_set",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "personality", "shmget", "shmat",
	"shmctl", "semget", "semctl", "process_madvise", "memfd_secret", "inotify_init",
	"inotify_init1", "landlock_create_ruleset",
	NULL,
};

const char *const sandbox_calls_needed[] = {
	/* threads and memory */
	"brk", "exit", "exit_group", "futex", "futex_time64", "get_robust_list", "getcpu", "gettid",
	"getpid", "getppid", "madvise", "membarrier", "mremap", "munmap", "restart_syscall", "rseq",
	"sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "sigaltstack",
	"tgkill",
	/* signals and time */
	"alarm", "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "gettimeofday", "nanosleep", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "sigreturn", "time", "timer_create", "timer_delete",
	"timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64",
	/* connections and datagrams */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "recv",
	"recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg",
	"sendto", "setsockopt", "shutdown",
	/* XSI queues */
	"ipc", "msgctl", "msgget", "msgrcv", "msgsnd",
	/* waiting */
	"_newselect", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd2", "pidfd_send_signal", "poll", "ppoll", "ppoll_time64", "pselect6", "select",
	/* descriptors, and files to read; Landlock says which */
	"_llseek", "access", "close", "close_range", "dup", "faccessat", "faccessat2", "fcntl",
	"fcntl64", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "getcwd", "getdents",
	"getdents64", "lseek", "lstat", "lstat64", "newfstatat", "open", "openat", "openat2",
	"pipe2", "pread64", "pwritev2", "read", "readlink", "readlinkat", "readv", "splice",
	"stat", "stat64", "statfs", "statfs64", "statx", "unlink", "unlinkat", "write", "writev",
	/* the host and ourselves */
	"getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getrandom",
	"getrlimit", "getrusage", "getuid", "getuid32", "sysinfo", "ugetrlimit", "uname",
	NULL,
};
