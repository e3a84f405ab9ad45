/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/io.h"
#include "daemon/life/activation.h"

/* What linux/landlock.h has, if there is one; the kernel says which of these rights it knows. */
#define CREATE_RULESET_VERSION (1u << 0)
#define RULE_PATH_BENEATH      1

struct path_beneath {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

#define EXECUTE	   (1ull << 0)
#define WRITE_FILE (1ull << 1)
#define READ_FILE  (1ull << 2)
#define READ_DIR   (1ull << 3)
#define REMOVE_DIR (1ull << 4)
#define REMOVE	   (1ull << 5)
#define MAKE_CHAR  (1ull << 6)
#define MAKE_DIR   (1ull << 7)
#define MAKE_FILE  (1ull << 8)
#define MAKE_SOCK  (1ull << 9)
#define MAKE_FIFO  (1ull << 10)
#define MAKE_BLOCK (1ull << 11)
#define MAKE_LINK  (1ull << 12)
#define REFER	   (1ull << 13)
#define TRUNCATE   (1ull << 14)
#define IOCTL_DEV  (1ull << 15)

#define READ	     (READ_FILE | READ_DIR)
#define KEEP_FILES   (WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE | MAKE_DIR | MAKE_FILE |         \
		      MAKE_SOCK | MAKE_FIFO | MAKE_LINK | REFER)
#define CHANGE	     (KEEP_FILES | MAKE_CHAR | MAKE_BLOCK)
/* What can be allowed for a file that is no directory. */
#define OF_ONE_FILE  (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

#define BIND_TCP	(1ull << 0)
#define CONNECT_TCP	(1ull << 1)
#define ABSTRACT_SOCKET (1ull << 0)
#define SIGNAL		(1ull << 1)

/* The whole structure; an older kernel takes it as long as what it does not know is 0. */
struct domain {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* A domain in the making. */
struct making {
	int ruleset_fd;
	uint64_t fs;	/* what is handled */
	int error;	/* of the first rule that could not be added; 0: none */
};

/* Where the system keeps programs. Links among them are followed, those missing are left out. */
static const char *const program_dirs[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store",
};

static const char *const temporary_dirs[] = { "/tmp", "/var/tmp" };

static const char *const harmless_devices[] = { "/dev/null", "/dev/zero", "/dev/full" };

/* What libproc2, the C library and its time zones read. */
static const char *const server_reads[] = {
	"/proc", "/run", "/var/run", "/usr", "/lib", "/lib64", "/etc/localtime", "/dev/null",
	"/sys/devices/system/cpu",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int sandbox_landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* Cut DOMAIN down to what VERSION of Landlock knows. */
static void limit_to(struct domain *domain, int version)
{
	static const uint64_t fs[] = { [1] = REFER - 1, [2] = TRUNCATE - 1, [3] = IOCTL_DEV - 1,
		[4] = IOCTL_DEV - 1, [5] = 2 * IOCTL_DEV - 1 };

	domain->fs &= fs[version < 5 ? version : 5];
	if (version < 4) {
		domain->net = 0;
	}
	if (version < 6) {
		domain->scoped = 0;
	}
}

/*
 * A datagram client whose name is abstract has to be answered, and so may a manager be reached.
 * Both are outside of any domain of ours.
 */
static bool needs_abstract_sockets(const struct settings *settings)
{
	const char *manager = getenv("NOTIFY_SOCKET");
	/* A socket that a manager or a reload brings may be of any kind. */
	bool needed = (manager && manager[0] == '@') || activation_count() || settings->reloads;

	for (unsigned i = 0; i < settings->listen_count; i++) {
		needed = needed || settings->listen[i].scheme == ADDRESS_UNIX_DGRAM;
	}
	return needed;
}

/* What is not handled is not limited. */
static struct domain domain_of(enum sandbox_role role, const struct settings *settings)
{
	struct domain domain = { .fs = EXECUTE | REFER, .net = BIND_TCP | CONNECT_TCP };
	bool strict = settings->sandbox == SANDBOX_STRICT;

	if (strict || role == SANDBOX_SERVER) {
		domain.fs |= CHANGE;
	}
	if (role == SANDBOX_RUNNER) {
		domain.scoped = ABSTRACT_SOCKET | SIGNAL;
	}
	if (role == SANDBOX_SERVER) {
		domain.fs |= IOCTL_DEV | (strict ? READ : 0);
		domain.scoped = needs_abstract_sockets(settings) ? 0 : ABSTRACT_SOCKET;
	}
	return domain;
}

/* Allow ACCESS to PATH and all below it. What cannot be opened is not there to be allowed. */
static void allow(struct making *making, const char *path, uint64_t access)
{
	struct path_beneath rule = { .allowed_access = access & making->fs };
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0) {
		return;
	}
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
		rule.allowed_access &= OF_ONE_FILE;
	}
	if (rule.allowed_access && !making->error &&
		syscall(SYS_landlock_add_rule, making->ruleset_fd, RULE_PATH_BENEATH, &rule, 0) <
			0) {
		making->error = errno;
	}
	close(rule.parent_fd);
}

static void allow_all(
	struct making *making, const char *const *paths, size_t count, uint64_t access)
{
	for (size_t i = 0; i < count; i++) {
		allow(making, paths[i], access);
	}
}

/* The same for the directory that the absolute PATH is in. */
static void allow_beside(struct making *making, const char *path, uint64_t access)
{
	char dir[PATH_MAX] = "";
	size_t len = (size_t)(strrchr(path, '/') - path);

	memcpy(dir, path, len ? len : 1);
	allow(making, dir, access);
}

/*
 * The files of a command that is replaced are others: then the keeper starts a new runner. So it
 * may do what any of them may, and at SANDBOX_BASIC they are not told apart from their neighbours.
 */
static void allow_command(struct making *making, const struct command_files *command, bool exactly)
{
	for (unsigned i = 0; i < command->count; i++) {
		allow(making, command->files[i].path, EXECUTE);
	}
	if (!exactly || command->is_script) {
		allow_all(making, program_dirs, COUNT(program_dirs), EXECUTE);
	}
	if (!exactly) {
		allow_beside(making, command->files[0].path, EXECUTE);
	}
}

/* The names that have to go when the server stops. */
static void allow_removal(struct making *making, const struct settings *settings)
{
	for (unsigned i = 0; i < settings->listen_count; i++) {
		if (settings->listen[i].path[0]) {
			allow_beside(making, settings->listen[i].path, REMOVE);
		}
	}
	if (settings->has_metrics && settings->metrics.path[0]) {
		allow_beside(making, settings->metrics.path, REMOVE);
	}
	if (settings->pid_file[0]) {
		allow_beside(making, settings->pid_file, REMOVE);
	}
	if (settings->takeover[0]) {
		allow_beside(making, settings->takeover, REMOVE);
	}
}

static void allow_role(struct making *making, const struct settings *settings,
	enum sandbox_role role, const struct command_files *command)
{
	bool strict = settings->sandbox == SANDBOX_STRICT;

	if (role == SANDBOX_SERVER) {
		allow_all(making, server_reads, COUNT(server_reads), READ);
		/* which a daemon puts in the place of standard error, once it serves */
		allow(making, "/dev/null", WRITE_FILE);
	} else {
		allow_command(making, command, strict && role == SANDBOX_RUNNER);
		allow_all(making, temporary_dirs, COUNT(temporary_dirs), KEEP_FILES);
		allow_all(making, harmless_devices, COUNT(harmless_devices), WRITE_FILE);
	}
	/* Renaming between directories is refused by every domain that does not allow it. */
	if (role != SANDBOX_SERVER && !strict) {
		allow(making, "/", REFER);
	}
	if (role == SANDBOX_SERVER) {
		allow_removal(making, settings);
	}
}

const char *sandbox_landlock_enter(const struct settings *settings, int version,
	enum sandbox_role role, const struct command_files *command)
{
	struct domain domain = domain_of(role, settings);
	struct making making = { .error = 0 };
	const char *failed = NULL;

	limit_to(&domain, version);
	making.fs = domain.fs;
	making.ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &domain, sizeof(domain), 0);
	if (making.ruleset_fd < 0) {
		return "landlock_create_ruleset";
	}
	allow_role(&making, settings, role, command);
	if (making.error) {
		errno = making.error;
		failed = "landlock_add_rule";
	} else if (syscall(SYS_landlock_restrict_self, making.ruleset_fd, 0) < 0) {
		failed = "landlock_restrict_self";
	}
	io_close(&making.ruleset_fd);
	return failed;
}
