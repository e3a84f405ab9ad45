/* SPDX-License-Identifier: MIT */
#include "bench/stop_signal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

#define TWICE_NS (100 * CLOCK_MS)

/* Lock-free on every Linux, so a handler may use them. */
static _Atomic int armed_fd = -1;
static _Atomic int first_signal;
static _Atomic uint64_t first_ns;

static void on_signal(int signal_number)
{
	int saved = errno;
	int stop_fd = atomic_load_explicit(&armed_fd, memory_order_relaxed);
	int none = 0;

	if (stop_fd >= 0 &&
	    atomic_compare_exchange_strong(&first_signal, &none, signal_number)) {
		atomic_store_explicit(&first_ns, clock_now_ns(), memory_order_relaxed);
		io_event_set(stop_fd);
	} else if (stop_fd < 0 || clock_now_ns() - atomic_load_explicit(&first_ns,
			memory_order_relaxed) >= TWICE_NS) {
		if (stop_fd >= 0 && isatty(STDERR_FILENO)) {
			/* The prompt comes behind the live line, not into it. */
			(void)!write(STDERR_FILENO, "\n", 1);
		}
		_exit(stop_signal_status(signal_number));
	}
	errno = saved;
}

int stop_signal_init(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	/* Neither comes into the middle of the other. */
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	return sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ?
		-1 : 0;
}

void stop_signal_arm(int stop_fd)
{
	atomic_store_explicit(&armed_fd, stop_fd, memory_order_relaxed);
}

void stop_signal_disarm(void)
{
	atomic_store_explicit(&armed_fd, -1, memory_order_relaxed);
}

int stop_signal_first(void)
{
	return atomic_load_explicit(&first_signal, memory_order_relaxed);
}

int stop_signal_status(int signal_number)
{
	return 128 + signal_number;
}
