/* SPDX-License-Identifier: MIT */
#include "daemon/run/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "daemon/run/children.h"
#include "daemon/run/preload.h"
#include "daemon/run/spawn.h"
#include "daemon/sandbox/command_files.h"

/* How long a run waits for a child that was ordered a moment ago: a few forks. */
#define READY_MS 20

/* One that says nothing for so long is given up; the next one is not loaded before. */
#define SILENT_NS (1 * CLOCK_S)

/* What the loader looks at besides, with the NUL of each. */
static const char loader_files[] = "/etc/ld.so.cache\0/etc/ld.so.preload";

const char *warm_find_preload(void)
{
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PRELOAD_FILE));
	char *slash;

	path[len < 0 ? 0 : len] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, PRELOAD_FILE, sizeof(PRELOAD_FILE));
	}
	if (!slash || access(path, R_OK) < 0) {
		snprintf(path, sizeof(path), "%s", PKGLIBEXECDIR "/" PRELOAD_FILE);
	}
	/* The loader would take it for several. */
	return access(path, R_OK) < 0 || strpbrk(path, " :") ? NULL : path;
}

void warm_init(struct warm *warm, const char *path, const char *preload)
{
	memset(warm, 0, sizeof(*warm));
	warm->path = path;
	warm->preload = preload;
	warm->cold_reason = preload ? NULL : "it was told to";
	warm->control_fd = warm->door_fd = warm->out_fd = -1;
}

static void drop_waiting(struct warm *warm)
{
	if (warm->waiting) {
		kill(warm->waiting, SIGKILL);
		waitpid(warm->waiting, NULL, 0);
		warm->waiting = 0;
	}
	io_close(&warm->out_fd);
}

/* One that was ordered and has not come yet ends by itself, with its socket. */
void warm_unload(struct warm *warm)
{
	if (!warm->loaded) {
		return;
	}
	kill(warm->loaded, SIGKILL);
	waitpid(warm->loaded, NULL, 0);
	warm->loaded = 0;
	drop_waiting(warm);
	io_close(&warm->control_fd);
	io_close(&warm->door_fd);
	warm->greeted = false;
}

/* It has died, or does not do what it should. If it was of use it is loaded again at once. */
static void give_up(struct warm *warm)
{
	if (!warm->greeted) {
		warm->cold_reason = "it did not wait in front of its main()";
		warm->refused = true;
	}
	warm_unload(warm);
	warm->loaded_ns = warm->proved ? 0 : clock_now_ns();
	warm->proved = false;
}

/* With the rights of its file it would ignore preloading, and run at once. */
static bool has_own_rights(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || (st.st_mode & (S_ISUID | S_ISGID)) ||
	       getxattr(path, "security.capability", NULL, 0) >= 0;
}

/* Why COMMAND cannot be loaded ahead, with OWN, this program; NULL: it can. */
static const char *find_obstacle(const struct command_files *command,
	const struct command_files *own)
{
	const struct command_file *loader = &command->files[command->count - 1];
	const struct command_file *own_loader = &own->files[own->count - 1];

	if (command->count < 2 || own->count < 2) {
		return "it is linked statically, or cannot be read";
	}
	if (loader->device != own_loader->device || loader->inode != own_loader->inode) {
		return "it has another dynamic loader than this program";
	}
	for (unsigned i = 0; i + 1 < command->count; i++) {
		if (has_own_rights(command->files[i].path)) {
			return "its file gives it rights of its own";
		}
	}
	return NULL;
}

/* What executing the command opens; the libraries are known when it is loaded. */
static const char *survey(struct warm *warm)
{
	static struct command_files command;
	static struct command_files own;

	if (access(CHILDREN_PATH, R_OK) < 0) {
		return "without " CHILDREN_PATH " its children are not found";
	}
	command_files_look_up(&command, warm->path);
	command_files_look_up(&own, "/proc/self/exe");
	image_clear(&warm->next);
	for (unsigned i = 0; i < command.count; i++) {
		const char *path = command.files[i].path;

		if (image_add(&warm->next, path, strlen(path) + 1) < 0) {
			return "it needs too many files";
		}
	}
	return image_add(&warm->next, loader_files, sizeof(loader_files)) < 0
		       ? "it needs too many files"
		       : find_obstacle(&command, &own);
}

static int open_sockets(struct warm *warm, int *control_fd, int *door_fd)
{
	int control[2];
	int door[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, door) < 0) {
		io_close(&control[0]);
		io_close(&control[1]);
		return -1;
	}
	warm->control_fd = control[0];
	warm->door_fd = door[0];
	*control_fd = control[1];
	*door_fd = door[1];
	return 0;
}

static void load(struct warm *warm)
{
	int control_fd;
	int door_fd;
	int error;

	warm->loaded_ns = warm->asked_ns = clock_now_ns();
	warm->number = 0;
	warm->refused = false;
	warm->cold_reason = survey(warm);
	if (warm->cold_reason || open_sockets(warm, &control_fd, &door_fd) < 0) {
		return;
	}
	error = spawn_loaded(warm->path, warm->preload, control_fd, door_fd, &warm->loaded);
	io_close(&control_fd);
	io_close(&door_fd);
	if (error) {
		warm->loaded = 0;
		io_close(&warm->control_fd);
		io_close(&warm->door_fd);
		warm->cold_reason = strerror(error);
	}
}

/* Order the next child: it will write to a pipe of its own. */
static void order(struct warm *warm)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return;
	}
	/* The child's end is an ordinary, blocking one. */
	fcntl(pipe_fds[1], F_SETFL, 0);
	if (fdpass_send(warm->control_fd, pipe_fds[1]) == 0) {
		warm->number++;
		warm->out_fd = pipe_fds[0];
		warm->asked_ns = warm->asked_ns ? warm->asked_ns : clock_now_ns();
	} else {
		io_close(&pipe_fds[0]);
	}
	io_close(&pipe_fds[1]);
}

/*
 * The loaded command says which libraries it has. Which files they were is known only if they were
 * looked at before it was loaded, and have not changed since.
 */
static void greet(struct warm *warm, const struct preload_hello *hello, size_t len)
{
	size_t names_len = len - offsetof(struct preload_hello, names);

	if (hello->version != PRELOAD_VERSION ||
	    image_add(&warm->next, hello->names, names_len) < 0) {
		give_up(warm);
		return;
	}
	if (image_has_same_names(&warm->image, &warm->next) && !image_is_stale(&warm->image)) {
		warm->greeted = true;
		warm->asked_ns = 0;
		return;
	}
	warm->image = warm->next;
	warm_unload(warm);
	load(warm);
}

/* The child that was ordered says that it waits, or the loaded command that there is none. */
static void take_ready(struct warm *warm, const struct preload_ready *ready)
{
	siginfo_t status;
	pid_t pid = (pid_t)ready->pid;

	if (ready->number != warm->number) {
		return;
	}
	/* Whatever number was written, only our own child is ever sent a signal. */
	if (pid <= 1 ||
	    waitid(P_PID, (id_t)pid, &status, WEXITED | WNOHANG | WNOWAIT) < 0) {
		give_up(warm);
		return;
	}
	warm->waiting = pid;
	warm->asked_ns = 0;
}

int warm_watch_fd(const struct warm *warm)
{
	return warm->loaded ? warm->control_fd : -1;
}

void warm_hear(struct warm *warm)
{
	static union {
		struct preload_hello hello;
		struct preload_ready ready;
	} word;
	ssize_t got = recv(warm->control_fd, &word, sizeof(word), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (!warm->greeted && got > (ssize_t)offsetof(struct preload_hello, names)) {
		greet(warm, &word.hello, (size_t)got);
	} else if (warm->greeted && got == sizeof(word.ready)) {
		take_ready(warm, &word.ready);
	} else {
		give_up(warm);
	}
	if (warm->greeted && warm->out_fd < 0) {
		order(warm);
	}
}

/* Who did not wait once has run instead: that is not tried again with the same files. */
static bool may_load(const struct warm *warm, uint64_t now_ns)
{
	return warm->preload && (!warm->loaded_ns || now_ns - warm->loaded_ns >= SILENT_NS) &&
	       (!warm->refused || image_is_stale(&warm->next));
}

void warm_prepare(struct warm *warm)
{
	uint64_t now_ns = clock_now_ns();

	if (warm->loaded && warm->asked_ns && now_ns - warm->asked_ns > SILENT_NS) {
		give_up(warm);
	}
	if (!warm->loaded && may_load(warm, now_ns)) {
		load(warm);
	}
	if (warm->loaded && warm->greeted && warm->out_fd < 0) {
		order(warm);
	}
}

/* Until the child that was ordered waits, if that is soon. */
static bool await_ready(struct warm *warm)
{
	uint64_t until_ns = clock_now_ns() + READY_MS * CLOCK_MS;
	struct pollfd word = { .events = POLLIN };

	while (warm->loaded && warm->out_fd >= 0 && !warm->waiting) {
		word.fd = warm->control_fd;
		if (poll(&word, 1, clock_poll_ms(until_ns)) != 1) {
			return false;
		}
		warm_hear(warm);
	}
	return warm->waiting;
}

int warm_start(struct warm *warm, pid_t *pid, int *out_fd)
{
	struct preload_go go = { .number = warm->number };
	siginfo_t status = { .si_pid = 0 };

	if (!warm->greeted || !await_ready(warm)) {
		return -1;
	}
	/* It may have been killed or stopped. */
	if (waitid(P_PID, (id_t)warm->waiting, &status,
		    WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0 || status.si_pid ||
	    send(warm->door_fd, &go, sizeof(go), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(go)) {
		drop_waiting(warm);
		return -1;
	}
	warm->proved = true;
	*pid = warm->waiting;
	*out_fd = warm->out_fd;
	warm->waiting = 0;
	warm->out_fd = -1;
	return 0;
}

bool warm_is_stale(struct warm *warm)
{
	if (!image_is_stale(&warm->image)) {
		return false;
	}
	warm_unload(warm);
	warm->loaded_ns = 0;
	return true;
}

unsigned warm_spare(struct warm *warm, pid_t spared[WARM_SPARED])
{
	unsigned count = 0;

	/* It may still be forked, and would take the word for the next, which has the same door. */
	if (!warm->waiting && warm->out_fd >= 0) {
		warm_unload(warm);
		warm->loaded_ns = 0;
	}
	if (warm->loaded) {
		spared[count++] = warm->loaded;
	}
	if (warm->waiting) {
		spared[count++] = warm->waiting;
	}
	return count;
}
