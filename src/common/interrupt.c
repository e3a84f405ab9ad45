/* SPDX-License-Identifier: MIT */
#include "common/interrupt.h"

#include <stddef.h>

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

int interrupt_prepare(void)
{
	const struct sigaction action = { .sa_handler = do_nothing };

	return sigaction(INTERRUPT_SIGNAL, &action, NULL);
}

void interrupt_allow(bool allow)
{
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, INTERRUPT_SIGNAL);
	pthread_sigmask(allow ? SIG_UNBLOCK : SIG_BLOCK, &only, NULL);
}
