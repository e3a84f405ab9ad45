/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sandbox/command_files.h"
#include "daemon/sandbox/landlock.h"
#include "unit/jail.h"
#include "unit/scratch.h"

static int probe_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	syscall(SYS_capget, &header, sets);
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable) {
			errno = ENOTEMPTY;
			return -1;
		}
	}
	/* Only a process that had it could drop it; none gains by it any more. */
	if (geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0) {
		errno = ERANGE;
		return -1;
	}
	errno = EACCES;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -1;
}

START_TEST(test_privileges)
{
	const struct jail_probe probe = { NULL, probe_privileges, 0, SANDBOX_BASIC };

	for (int role = 0; role < SANDBOX_ROLES; role++) {
		ck_assert_int_eq(jail_try(&probe, (enum sandbox_role)role, SANDBOX_BASIC).error, 0);
	}
	ck_assert_int_ne(jail_try(&probe, SANDBOX_SERVER, SANDBOX_OFF).error, 0);
}
END_TEST

static int probe_kill(void)
{
	return kill(getppid(), 0);
}

/* The command cannot kill the server that it is asked by. */
START_TEST(test_signals)
{
	const struct jail_probe probe = { NULL, probe_kill, 0, SANDBOX_BASIC };

	if (sandbox_landlock_version() >= 6) {
		ck_assert_int_eq(jail_try(&probe, SANDBOX_RUNNER, SANDBOX_OFF).error, 0);
		ck_assert_int_eq(jail_try(&probe, SANDBOX_RUNNER, SANDBOX_BASIC).error, EPERM);
	}
}
END_TEST

START_TEST(test_off)
{
	static const struct settings settings = { .sandbox = SANDBOX_OFF };
	struct sandbox *sandbox;
	const char *lacks;
	int notify_fd = 7;

	ck_assert_int_eq(sandbox_new(&sandbox, &settings, &lacks), 0);
	ck_assert_ptr_null(sandbox);
	ck_assert_ptr_null(lacks);
	ck_assert_int_eq(sandbox_enter(sandbox, SANDBOX_SERVER, &notify_fd), 0);
	ck_assert_int_eq(notify_fd, -1);
	ck_assert_int_eq(sandbox_start_watching(sandbox), 0);
	ck_assert(!sandbox_is_outdated(sandbox));
	sandbox_free(sandbox);
}
END_TEST

/* The files that are opened for execution: a script's interpreter, and a program's loader. */
START_TEST(test_command)
{
	static struct command_files command;
	struct scratch_path script = scratch_command("script", "echo line");
	struct scratch_path other;

	command_files_look_up(&command, script.text);
	ck_assert(command.is_script);
	ck_assert_uint_ge(command.count, 2);
	ck_assert_str_eq(command.files[0].path, script.text);
	ck_assert_str_eq(command.files[1].path, "/bin/sh");
	ck_assert_msg(command.count == 2 || strstr(command.files[2].path, "/ld"), "%s",
		command.files[2].path);
	ck_assert(!command_files_is_stale(&command));
	other = scratch_command("other", "echo line");
	ck_assert_int_eq(rename(other.text, script.text), 0);
	ck_assert(command_files_is_stale(&command));
	command_files_look_up(&command, UPTIME_COMMAND);
	ck_assert_str_eq(command.files[0].path, UPTIME_COMMAND);
	ck_assert(!command_files_is_stale(&command));
	command_files_look_up(&command, jail_absent);
	ck_assert_uint_eq(command.count, 1);
	ck_assert(!command_files_is_stale(&command));
}
END_TEST

/* Whatever stands in a file, no more than it holds is taken for its interpreter. */
START_TEST(test_odd_commands)
{
	static const char *const texts[] = { "", "#", "#!", "#! ", "#!\n", "#!sh\n", "#!/",
		"\177ELF", "\177ELF\002\001\001nonsense" };
	static const char loop[] = "#!/proc/self/cwd/odd\n";
	static struct command_files command;
	struct scratch_path path;

	ck_assert_int_eq(chdir(scratch_path("").text), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		path = scratch_file("odd", texts[i], 0700);
		command_files_look_up(&command, path.text);
		ck_assert_msg(command.count == 1 || strcmp(texts[i], "#!/") == 0, "%zu", i);
	}
	path = scratch_file("odd", loop, 0700);
	command_files_look_up(&command, path.text);
	ck_assert_uint_eq(command.count, COMMAND_FILES_MAX);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");

	tcase_add_unchecked_fixture(tcase, jail_init, jail_fini);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_privileges);
	tcase_add_test(tcase, test_signals);
	tcase_add_test(tcase, test_off);
	tcase_add_test(tcase, test_command);
	tcase_add_test(tcase, test_odd_commands);
	suite_add_tcase(suite, tcase);
	return suite;
}
