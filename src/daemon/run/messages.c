/* SPDX-License-Identifier: MIT */
#include "daemon/run/messages.h"

#include <stdio.h>
#include <sys/socket.h>

void message_complain(int report_fd, const char *call, int error)
{
	struct message_report report = { .error = error };

	snprintf(report.call, sizeof(report.call), "%s", call);
	(void)!send(report_fd, &report, sizeof(report), MSG_NOSIGNAL | MSG_DONTWAIT);
}
