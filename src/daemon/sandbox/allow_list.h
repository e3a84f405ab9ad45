/* SPDX-License-Identifier: MIT */
/* The server's filter that lets through what is known to be needed, and refuses the rest. */
#ifndef RUPTIME_DAEMON_SANDBOX_ALLOW_LIST_H
#define RUPTIME_DAEMON_SANDBOX_ALLOW_LIST_H

#include "daemon/sandbox/rules.h"

/* To be called in the process that is to be the server. */
void allow_list_make(struct rules *rules);

#endif
