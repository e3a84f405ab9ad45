/* SPDX-License-Identifier: MIT */
/*
 * A keeper and its runner, as a server has them, with a command that the test writes.
 */
#ifndef RUPTIME_TESTS_KEPT_H
#define RUPTIME_TESTS_KEPT_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/run/runner.h"
#include "unit/scratch.h"

/* A run that is not to end by itself ends long after the test has given up on it. */
#define KEPT_FAR_NS (50 * CLOCK_S)

/* What a busy machine may add. */
#define KEPT_MARGIN_NS (2 * CLOCK_S)

extern struct scratch_path kept_command;
extern struct runner_config kept_config;
extern uint64_t kept_timeout_ns;	/* of runs that kept_begin_run() begins */
extern struct runner *kept_runner;

/* Where a gated command says that it runs. */
extern int kept_running_fd;

/* Checked fixtures. Whatever a test did, nothing is left of it at its end. */
void kept_set_up(void);
void kept_tear_down(void);

/* The command is SCRIPT from now on; before kept_start(), its path is, too. */
void kept_use_command(const char *script, uint64_t timeout_ns);

/*
 * The same with a command that says when it runs, with its process number, and ends when it is told
 * to. Its FIFOs are held open at both ends here.
 */
void kept_use_gated_command(uint64_t timeout_ns);
pid_t kept_await_command(void);
void kept_let_end(const char *word);

void kept_start(void);

/* What main hears next; and until there is a new runner. */
enum runner_news kept_hear(void);
void kept_revive(void);

/* The runner's number, and to send it a signal. */
pid_t kept_pid(void);
void kept_kill(int signal_number);

/* A run in another thread. */
void kept_begin_run(pthread_t *thread, struct command_result *result);

#endif
