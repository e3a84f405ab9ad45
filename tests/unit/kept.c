/* SPDX-License-Identifier: MIT */
#include "unit/kept.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "unit/process.h"

int kept_running_fd;
struct scratch_path kept_command;
struct runner_config kept_config;
uint64_t kept_timeout_ns;
struct runner *kept_runner;

static int may_end_fd;
static unsigned descriptors;

void kept_use_command(const char *script, uint64_t longest_ns)
{
	kept_command = scratch_command("uptime", script);
	kept_config = (struct runner_config){ .command = kept_command.text };
	kept_timeout_ns = longest_ns;
}

void kept_use_gated_command(uint64_t longest_ns)
{
	char script[512];

	kept_running_fd = scratch_fifo("running");
	may_end_fd = scratch_fifo("may-end");
	snprintf(script, sizeof(script), "echo $$ >%s; read word <%s; echo \"$$ $word\"",
		scratch_path("running").text, scratch_path("may-end").text);
	kept_use_command(script, longest_ns);
}

void kept_set_up(void)
{
	kept_running_fd = may_end_fd = -1;
	descriptors = process_descriptors();
	kept_runner = NULL;
}

void kept_tear_down(void)
{
	runner_free(kept_runner);
	io_close(&kept_running_fd);
	io_close(&may_end_fd);
	ck_assert_msg(!process_has_children(), "a process is left");
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

void kept_start(void)
{
	struct message_report failed;

	kept_runner = runner_new(&kept_config, &failed);
	ck_assert_ptr_nonnull(kept_runner);
}

pid_t kept_await_command(void)
{
	char text[32] = "";

	ck_assert_int_gt(read(kept_running_fd, text, sizeof(text) - 1), 0);
	return (pid_t)strtol(text, NULL, 10);
}

void kept_let_end(const char *word)
{
	ck_assert_int_eq(io_write_all(may_end_fd, word, strlen(word)), 0);
}

enum runner_news kept_hear(void)
{
	struct pollfd watch = { .fd = runner_watch_fd(kept_runner), .events = POLLIN };
	struct message_report failed;

	ck_assert_int_eq(poll(&watch, 1, (int)(process_slow_ns(KEPT_MARGIN_NS) / CLOCK_MS)), 1);
	return runner_hear(kept_runner, &failed);
}

void kept_revive(void)
{
	ck_assert_int_eq(kept_hear(), RUNNER_STARTED);
}

pid_t kept_pid(void)
{
	pid_t pid = process_only_child_of(process_only_child());

	ck_assert_int_gt(pid, 0);
	return pid;
}

void kept_kill(int signal_number)
{
	ck_assert_int_eq(kill(kept_pid(), signal_number), 0);
}

static void *run_main(void *result)
{
	runner_run(kept_runner, kept_timeout_ns, result);
	return NULL;
}

void kept_begin_run(pthread_t *thread, struct command_result *result)
{
	ck_assert_int_eq(pthread_create(thread, NULL, run_main, result), 0);
}
