/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "daemon/listen/unix_socket.h"
#include "unit/process.h"
#include "unit/scratch.h"

static const char *const schemes[] = { "unix", "unix-seqpacket", "unix-dgram", "fdpass" };
static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM, SOCK_STREAM };
#define SCHEMES 4

static struct unix_socket_id id = { .dir_fd = -1 };
static const char *why;

static struct address address_of(const char *scheme, const char *path, const char *keys)
{
	struct address address;
	char text[512];

	snprintf(text, sizeof(text), "%s://%s%s", scheme, path, keys);
	ck_assert_int_eq(address_parse(&address, text, strlen(text), &why), 0);
	return address;
}

/* At the name SOCKET of the scratch directory. */
static struct address address_here(int scheme, const char *keys)
{
	return address_of(schemes[scheme], scratch_path("socket").text, keys);
}

static int open_socket(const struct address *address)
{
	io_close(&id.dir_fd);
	return unix_socket_open(address, &id, &why);
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(to.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		io_close(&fd);
	}
	return fd;
}

/* No temporary name stays, and no descriptor. */
static unsigned open_before;

static void set_up(void)
{
	open_before = process_descriptors();
}

static void tear_down(void)
{
	char command[256];

	io_close(&id.dir_fd);
	ck_assert_uint_eq(process_descriptors(), open_before);
	snprintf(command, sizeof(command), "! ls -A %s | grep -q '^\\.ruptimed'",
		scratch_path("").text);
	ck_assert_int_eq(system(command), 0);
	unlink(scratch_path("socket").text);
}

START_TEST(test_serves)
{
	struct address address = address_here(_i, "");
	int fd = open_socket(&address);
	int client_fd;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	client_fd = connect_to(address.path, types[_i]);
	ck_assert_int_ge(client_fd, 0);
	io_close(&client_fd);
	unix_socket_remove(&address, &id);
	ck_assert_int_eq(access(address.path, F_OK), -1);
	unix_socket_remove(&address, &id);
	io_close(&fd);
}
END_TEST

START_TEST(test_mode_and_owner)
{
	static const struct {
		const char *keys;
		mode_t mode;
		uid_t uid;
		gid_t gid;
	} cases[] = {
		{ "", 0660, 0, 0 },
		{ "?mode=0600", 0600, 0, 0 },
		{ "?mode=0666", 0666, 0, 0 },
		{ "?mode=0000", 0, 0, 0 },
		{ "?user=nobody", 0660, 65534, 0 },
		{ "?user=65533&group=65532&mode=0640", 0640, 65533, 65532 },
	};
	struct address address = address_here(_i % SCHEMES, cases[_i / SCHEMES].keys);
	mode_t mask = umask(0777);
	struct stat st;
	int fd = open_socket(&address);

	umask(mask);
	if (cases[_i / SCHEMES].uid && cases[_i / SCHEMES].uid != geteuid() && geteuid() != 0) {
		ck_assert_int_eq(fd, -1);
		ck_assert_int_eq(errno, EPERM);
		return;
	}
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lstat(address.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, cases[_i / SCHEMES].mode);
	ck_assert_uint_eq(st.st_uid, cases[_i / SCHEMES].uid ? cases[_i / SCHEMES].uid : geteuid());
	ck_assert_uint_eq(st.st_gid, cases[_i / SCHEMES].gid ? cases[_i / SCHEMES].gid : getegid());
	io_close(&fd);
}
END_TEST

START_TEST(test_no_such_owner)
{
	static const char *const keys[] = {
		"?user=nobody-of-that-name", "?group=nobody-of-that-name", "?user=4294967295",
		"?user=4294967296", "?group=18446744073709551616", "?user=12x",
	};
	struct address address = address_here(0, keys[_i]);

	ck_assert_int_eq(open_socket(&address), -1);
	ck_assert_str_eq(why, strstr(keys[_i], "user") ? "the system knows no such user"
						       : "the system knows no such group");
	ck_assert_int_eq(access(address.path, F_OK), -1);
}
END_TEST

/* Left by a server that was killed: whatever kind it was. */
START_TEST(test_stale_is_replaced)
{
	struct address old = address_here(_i / SCHEMES, "");
	struct address new = address_here(_i % SCHEMES, "");
	int fd = open_socket(&old);
	int client_fd;

	ck_assert_int_ge(fd, 0);
	io_close(&fd);
	ck_assert_int_eq(access(old.path, F_OK), 0);
	fd = open_socket(&new);
	ck_assert_int_ge(fd, 0);
	client_fd = connect_to(new.path, types[_i % SCHEMES]);
	ck_assert_int_ge(client_fd, 0);
	io_close(&client_fd);
	io_close(&fd);
}
END_TEST

START_TEST(test_live_is_refused)
{
	struct address old = address_here(_i / SCHEMES, "");
	struct address new = address_here(_i % SCHEMES, "");
	int fd = open_socket(&old);
	struct unix_socket_id served = id;
	int client_fd;

	id.dir_fd = -1;
	ck_assert_int_eq(open_socket(&new), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(why, "another process serves there");
	client_fd = connect_to(old.path, types[_i / SCHEMES]);
	ck_assert_int_ge(client_fd, 0);
	io_close(&client_fd);
	unix_socket_remove(&old, &served);
	ck_assert_int_eq(access(old.path, F_OK), -1);
	io_close(&served.dir_fd);
	io_close(&fd);
}
END_TEST

/* A file, a directory, a FIFO, a link to a socket: not ours to remove. */
START_TEST(test_other_files_are_refused)
{
	struct address address = address_here(0, "");
	struct address other = address_of("unix", scratch_path("other").text, "");
	struct stat before;
	struct stat after;
	int other_fd = -1;

	switch (_i) {
	case 0:
		scratch_file("socket", "precious", 0600);
		break;
	case 1:
		ck_assert_int_eq(mkdir(address.path, 0700), 0);
		break;
	case 2:
		ck_assert_int_eq(mkfifo(address.path, 0600), 0);
		break;
	default:
		other_fd = open_socket(&other);
		io_close(&other_fd);
		ck_assert_int_eq(symlink(other.path, address.path), 0);
	}
	ck_assert_int_eq(lstat(address.path, &before), 0);
	ck_assert_int_eq(open_socket(&address), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_str_eq(why, "there is a file of that name which is not a socket");
	ck_assert_int_eq(lstat(address.path, &after), 0);
	ck_assert(before.st_ino == after.st_ino);
	remove(address.path);
	unlink(other.path);
}
END_TEST

/* Where its path leads by now does not matter: the directory is known. */
START_TEST(test_removes_where_it_was_made)
{
	struct address address = address_of(schemes[_i], scratch_path("folder/socket").text, "");
	struct scratch_path folder = scratch_path("folder");
	struct scratch_path away = scratch_path("away");
	struct scratch_path moved = scratch_path("away/socket");
	int fd;

	ck_assert_int_eq(mkdir(folder.text, 0700), 0);
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rename(folder.text, away.text), 0);
	ck_assert_int_eq(symlink("/nonexistent", folder.text), 0);
	unix_socket_remove(&address, &id);
	ck_assert_int_eq(access(moved.text, F_OK), -1);
	io_close(&fd);
	unlink(folder.text);
	rmdir(away.text);
}
END_TEST

START_TEST(test_removes_its_own_only)
{
	struct address address = address_here(_i, "");
	int fd = open_socket(&address);

	ck_assert_int_eq(unlink(address.path), 0);
	scratch_file("socket", "another user's", 0600);
	unix_socket_remove(&address, &id);
	ck_assert_int_eq(access(address.path, F_OK), 0);
	io_close(&fd);
}
END_TEST

/* As long as a name may be, with a temporary one that is longer than that. */
START_TEST(test_longest_path)
{
	char path[ADDRESS_PATH_MAX + 1];
	size_t dir_len = strlen(scratch_path("").text);
	struct address address;
	struct stat st;
	int client_fd;
	int fd;

	memset(path, 'n', ADDRESS_PATH_MAX);
	path[ADDRESS_PATH_MAX] = '\0';
	memcpy(path, scratch_path("").text, dir_len);
	if (_i >= SCHEMES) {
		/* All of it but one byte is the directory. */
		path[ADDRESS_PATH_MAX - 2] = '\0';
		mkdir(path, 0700);
		path[ADDRESS_PATH_MAX - 2] = '/';
	}
	address = address_of(schemes[_i % SCHEMES], path, "?mode=0612");
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0612);
	client_fd = connect_to(path, types[_i % SCHEMES]);
	ck_assert_int_ge(client_fd, 0);
	io_close(&client_fd);
	io_close(&fd);
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	unix_socket_remove(&address, &id);
	ck_assert_int_eq(access(path, F_OK), -1);
	io_close(&fd);
}
END_TEST

START_TEST(test_no_directory)
{
	struct address address = address_of("unix", scratch_path("none/socket").text, "");

	ck_assert_int_eq(open_socket(&address), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(why);
}
END_TEST

/* Any user who may read a directory may lock it, and keeps no server from its start. */
START_TEST(test_locked_directory)
{
	struct address address = address_here(0, "");
	int lock_fd = open(scratch_path("").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t began_ns = clock_now_ns();
	int fd;

	ck_assert_int_eq(flock(lock_fd, LOCK_EX), 0);
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(clock_now_ns() - began_ns, process_slow_ns(500 * CLOCK_MS));
	io_close(&fd);
	io_close(&lock_fd);
}
END_TEST

/* Nor does a file of another kind or mode where the lock would be. */
START_TEST(test_no_lock_to_be_had)
{
	struct address address = address_here(0, "");
	int fd;

	ck_assert_int_eq(mkfifo(scratch_path(".ruptimed-lock").text, 0666), 0);
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	io_close(&fd);
	ck_assert_int_eq(unlink(scratch_path(".ruptimed-lock").text), 0);
	scratch_file(".ruptimed-lock", "", 0644);
	fd = open_socket(&address);
	ck_assert_int_ge(fd, 0);
	io_close(&fd);
	ck_assert_int_eq(unlink(scratch_path(".ruptimed-lock").text), 0);
}
END_TEST

/* Of several that start at once over a stale name, one serves, and it is the one with the name. */
#define STARTERS 8

START_TEST(test_starting_at_once)
{
	struct address address = address_here(_i % SCHEMES, "");
	pid_t pids[STARTERS];
	int go[2];
	int done[2];
	unsigned served = 0;
	int client_fd;
	int fd = open_socket(&address);
	char verdict;

	io_close(&fd);
	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(done, O_CLOEXEC), 0);
	for (unsigned i = 0; i < STARTERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			io_close(&go[1]);
			/* Until the parent closes the other end. */
			(void)!read(go[0], &verdict, 1);
			fd = open_socket(&address);
			verdict = fd >= 0 ? 'y' : errno == EADDRINUSE ? 'n' : '?';
			(void)!write(done[1], &verdict, 1);
			(void)!pause();
			_exit(0);
		}
	}
	io_close(&go[0]);
	io_close(&go[1]);
	for (unsigned i = 0; i < STARTERS; i++) {
		ck_assert_int_eq(read(done[0], &verdict, 1), 1);
		ck_assert(verdict == 'y' || verdict == 'n');
		served += verdict == 'y';
	}
	ck_assert_uint_eq(served, 1);
	client_fd = connect_to(address.path, types[_i % SCHEMES]);
	ck_assert_int_ge(client_fd, 0);
	io_close(&client_fd);
	for (unsigned i = 0; i < STARTERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	io_close(&done[0]);
	io_close(&done[1]);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("unix_socket");
	TCase *tcase = tcase_create("unix_socket");

	tcase_add_unchecked_fixture(tcase, scratch_init, scratch_fini);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_serves, 0, SCHEMES);
	tcase_add_loop_test(tcase, test_mode_and_owner, 0, 6 * SCHEMES);
	tcase_add_loop_test(tcase, test_no_such_owner, 0, 6);
	tcase_add_loop_test(tcase, test_stale_is_replaced, 0, SCHEMES * SCHEMES);
	tcase_add_loop_test(tcase, test_live_is_refused, 0, SCHEMES * SCHEMES);
	tcase_add_loop_test(tcase, test_other_files_are_refused, 0, 4);
	tcase_add_loop_test(tcase, test_removes_where_it_was_made, 0, SCHEMES);
	tcase_add_loop_test(tcase, test_removes_its_own_only, 0, SCHEMES);
	tcase_add_loop_test(tcase, test_longest_path, 0, 2 * SCHEMES);
	tcase_add_test(tcase, test_no_directory);
	tcase_add_test(tcase, test_locked_directory);
	tcase_add_test(tcase, test_no_lock_to_be_had);
	tcase_add_loop_test(tcase, test_starting_at_once, 0, 3 * SCHEMES);
	suite_add_tcase(suite, tcase);
	return suite;
}
